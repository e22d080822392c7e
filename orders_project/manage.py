#!/usr/bin/env python3
"""Run one-off commands of the orders service: `manage.py help` lists them."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # the repository root is the only import root

    from ops.startup import begin_command

    begin_command("orders_project.settings")

    from ops.manage import main
    from orders_project.config import OrdersConfig

    main(sys.argv, OrdersConfig, workers={"recover_orders", "relay_events", "run_nightly"})
