"""The steps of a reservation that tests interrupt; `tests/faults/test_fault_points.py` runs every action."""

from __future__ import annotations

from enum import StrEnum


class ReservationStep(StrEnum):
    """The steps where a reservation can be interrupted."""

    RESERVE = "products.reserve"  # the transaction that reserves stock
    RELEASE = "products.release"  # the transaction that releases it, or inserts a tombstone
