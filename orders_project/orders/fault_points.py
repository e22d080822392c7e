"""The steps of an order that tests break one by one; `tests/faults/test_fault_points.py` has each meet each action."""

from __future__ import annotations

from enum import StrEnum


class OrderStep(StrEnum):
    """Where an order can be interrupted, in the order in which one passes them."""

    FETCH_PRODUCT = "orders.fetch_product"  # the HTTP call that asks for the product
    STORE_ORDER = "orders.store_order"  # the transaction that stores a confirmed order and its event
    STORE_PENDING = "orders.store_pending"  # the commit that stores a pending order
    RESERVE = "orders.reserve"  # the HTTP call that holds its stock
    CONFIRM = "orders.confirm"  # the transaction that confirms it and records its event
    REJECT = "orders.reject"  # the commit that rejects it
    FIND_RESERVATION = "orders.find_reservation"  # the HTTP call of recovery that asks what is held
    RELEASE = "orders.release"  # the HTTP call of recovery that gives it back
