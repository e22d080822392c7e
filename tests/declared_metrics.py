"""The metrics that the services declare, the source of docs/telemetry.md."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

from tests.processes import ROOT, clean_environment

SCRIPT = ROOT / "scripts" / "document-telemetry"


@cache
def declared_metrics() -> dict[str, dict[str, Any]]:
    """Return each metric's type, unit, labels, meaning and exporter."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--json"],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def declared_series() -> dict[str, set[str]]:
    """Return the labels of each name that a query may use."""
    found: dict[str, set[str]] = {}
    for name, metric in declared_metrics().items():
        endings = ("_bucket", "_sum", "_count") if metric["type"] == "histogram" else ("",)
        found |= {f"{name}{ending}": set(metric["labels"]) for ending in endings}
    return found
