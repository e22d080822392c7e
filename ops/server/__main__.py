"""Start the web process: `DJANGO_SETTINGS_MODULE=… python -m ops.server`, with gunicorn's arguments.

gunicorn reads WEB_CONCURRENCY while it is imported: an empty or faulty value would end in a traceback of its own.
"""

from __future__ import annotations

import gc
import os
import select
import sys

from ops.startup import end_imports

if __name__ == "__main__":
    gc.disable()  # until end_imports
    from ops.manage import load_config

    if not hasattr(select, "epoll"):
        sys.exit("The server needs Linux, as its poller is epoll. Elsewhere, use docker compose.")
    load_config()
    if not os.environ.get("WEB_CONCURRENCY"):
        os.environ.pop("WEB_CONCURRENCY", None)
    from gunicorn.app.wsgiapp import run  # once its variable is sound

    end_imports()
    sys.argv[:1] = ["gunicorn", "-c", "python:ops.server.gunicorn"]
    run()
