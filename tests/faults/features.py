"""Which promises this code makes yet, told from its source: what is not built is not asked for."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.processes import ROOT

CODE = ("products_project", "orders_project", "events", "ops")


def _mentions(package: str, word: str) -> bool:
    return any(word in path.read_text() for path in (ROOT / package).rglob("*.py") if "tests" not in path.parts)


def has_command(name: str) -> bool:
    """Tell whether a service has this command."""
    return any(any((ROOT / package).rglob(f"management/commands/{name}.py")) for package in CODE)


def fault_points() -> list[str]:
    """Return every step that the code names: the members of `Point` in each fault_points.py but that of `ops`."""
    found = []
    for path in sorted(path for package in CODE[:-1] for path in (ROOT / package).rglob("fault_points.py")):
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        found += [str(point) for point in module.Point]
    return found


KEYS = _mentions("orders_project", "Idempotency-Key")
RESERVATIONS = _mentions("products_project", "reservations/")
SAGA = has_command("recover_orders")
EVENTS = has_command("relay_events")
FEATURES = {"keys": KEYS, "reservations": RESERVATIONS and SAGA, "events": EVENTS, "": True}

needs_keys = pytest.mark.skipif(not KEYS, reason="POST /orders takes no Idempotency-Key yet")
needs_reservations = pytest.mark.skipif(not FEATURES["reservations"], reason="orders does not reserve stock yet")
