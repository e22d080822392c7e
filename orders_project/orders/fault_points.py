"""The steps of an order that tests break one by one; `tests/faults/test_fault_points.py` has each meet each action."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """Where an order can be interrupted, in the order in which one passes them."""

    FETCH_PRODUCT = "orders.fetch_product"  # the HTTP call that asks for the product
    STORE_ORDER = "orders.store_order"  # the transaction that stores the order
