"""The steps of an order that tests interrupt; `tests/faults/test_fault_points.py` runs every action at every step."""

from __future__ import annotations

from enum import StrEnum


class OrderStep(StrEnum):
    """The steps where an order can be interrupted, in their order."""

    FETCH_PRODUCT = "orders.fetch_product"  # the HTTP call that asks for the product
    STORE_ORDER = "orders.store_order"  # the transaction that stores a confirmed order and its event
    STORE_PENDING = "orders.store_pending"  # the commit that stores a pending order
    RESERVE = "orders.reserve"  # the HTTP call that reserves its stock
    CONFIRM = "orders.confirm"  # the transaction that confirms it and records its event
    REJECT = "orders.reject"  # the commit that rejects it
    FIND_RESERVATION = "orders.find_reservation"  # the HTTP call of recovery that reads the reservation
    RELEASE = "orders.release"  # the HTTP call of recovery that releases it
