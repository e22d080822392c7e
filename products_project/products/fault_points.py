"""The steps of a reservation that tests break; `tests/faults/test_fault_points.py` has each meet each action."""

from __future__ import annotations

from enum import StrEnum


class ReservationStep(StrEnum):
    """Where a reservation can be interrupted."""

    RESERVE = "products.reserve"  # the transaction that holds stock
    RELEASE = "products.release"  # the transaction that gives it back, or buries the id
