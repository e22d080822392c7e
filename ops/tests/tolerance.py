"""How much longer than promised an answer may take before a test says that the promise is broken."""

from __future__ import annotations

import os

UNBOUNDED = 20.0  # seconds; a slow machine adds less to what is bounded, and what is unbounded takes longer
BESIDE_OTHERS = 2.0  # seconds; what is really unbounded takes longer


def tolerance(seconds: float) -> float:
    """Return the promised seconds where a test runs alone; more where it shares its two cores with others."""
    return seconds + BESIDE_OTHERS if "PYTEST_XDIST_WORKER" in os.environ else seconds
