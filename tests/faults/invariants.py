"""The promises, as functions of both databases and the clients' ledger.

Each returns its violations as sentences. Only this file of the tests names tables and columns.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.faults.ledger import Intent

Row = dict[str, Any]

ORDERS, PRODUCTS = "orders_order", "products_product"
RESERVATIONS, SALES = "products_reservation", "products_productsales"
OUTBOX_UNSENT = "SELECT position, dead_at FROM outbox_outboxevent WHERE sent_at IS NULL"


def read(url: str, statement: str) -> list[Row]:
    """Return the rows; none if the table does not exist."""
    if url.startswith("sqlite:///"):
        database = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute(statement)]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        finally:
            database.close()
    with psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=10) as connection:
        try:
            return connection.execute(statement).fetchall()
        except psycopg.errors.UndefinedTable:
            return []


@dataclass(frozen=True)
class State:
    """The data that the promises compare."""

    intents: Mapping[str, Intent]
    orders: list[Row]
    initial_stock: Mapping[int, int] = field(default_factory=dict)
    products: list[Row] = field(default_factory=list)
    reservations: list[Row] = field(default_factory=list)
    sales: list[Row] = field(default_factory=list)
    outbox: list[Row] = field(default_factory=list)

    def with_status(self, status: str) -> list[Row]:
        return [row for row in self.orders if row["status"] == status]


def read_state(
    *, orders_url: str, products_url: str, intents: Mapping[str, Intent], initial_stock: Mapping[int, int]
) -> State:
    return State(
        intents,
        read(orders_url, f"SELECT * FROM {ORDERS}"),
        initial_stock,
        read(products_url, f"SELECT * FROM {PRODUCTS}"),
        read(products_url, f"SELECT * FROM {RESERVATIONS}"),
        read(products_url, f"SELECT * FROM {SALES}"),
        read(orders_url, OUTBOX_UNSENT),
    )


def acknowledged_is_stored_once(state: State) -> list[str]:
    """Every 201 names an order stored as acknowledged, and each intent has its own order."""
    stored = {row["id"]: row for row in state.orders}
    owners: Counter[int] = Counter()
    found = []
    for intent in state.intents.values():
        owners.update(intent.acknowledged)
        for number in intent.acknowledged:
            row = stored.get(number)
            if row is None:
                found.append(f"order {number} was acknowledged and is not stored")
            elif (row["product_id"], row["quantity"], row["status"]) != (
                intent.product_id,
                intent.quantity,
                "confirmed",
            ):
                found.append(f"order {number} is stored otherwise than acknowledged")
    return found + [f"order {number} was acknowledged to {count} keys" for number, count in owners.items() if count > 1]


def nothing_is_stored_unasked(state: State) -> list[str]:
    """Every stored order has a key that a client sent."""
    return [
        f"order {row['id']} has a key that nobody sent"
        for row in state.orders
        if row["idempotency_key"] not in state.intents
    ]


def same_key_is_same_order(state: State) -> list[str]:
    """All answers to one key name one order, and one row has the key."""
    found = [
        f"key {intent.key} was answered by orders {sorted(intent.acknowledged)}"
        for intent in state.intents.values()
        if len(intent.acknowledged) > 1
    ]
    rows = Counter(row["idempotency_key"] for row in state.orders if row["idempotency_key"])
    return found + [f"key {key} has {count} orders" for key, count in rows.items() if count > 1]


def every_client_was_answered(state: State) -> list[str]:
    """Every client that retried with the same key finally got an answer."""
    return [f"key {intent.key} was never settled" for intent in state.intents.values() if not intent.is_settled]


def no_order_is_pending(state: State) -> list[str]:
    """At the end of a run, all orders are resolved."""
    return [f"order {row['id']} is still pending" for row in state.with_status("pending")]


def rejected_orders_hold_nothing(state: State) -> list[str]:
    """The reservation of a rejected order is released, and no work is left for the order."""
    held = {_hex(row["id"]) for row in state.reservations if row["status"] == "held"}
    rejected = state.with_status("rejected")
    return [f"order {row['id']} is rejected and holds" for row in rejected if _hex(row["reservation_id"]) in held] + [
        f"order {row['id']} is rejected and not finished" for row in rejected if row["recover_after"] is not None
    ]


def stock_is_conserved(state: State) -> list[str]:
    """Stock plus held pieces equals the initial stock, and stock is never negative."""
    found = []
    left = {row["id"]: row["stock"] for row in state.products}
    held: Counter[int] = Counter()
    for row in state.reservations:
        if row["status"] == "held" and row["takes_stock"]:
            held[row["product_id"]] += row["quantity"]
    for product, initial in state.initial_stock.items():
        if left[product] < 0:
            found.append(f"product {product} has stock {left[product]}")
        if left[product] + held[product] != initial:
            found.append(f"product {product}: {left[product]} left and {held[product]} held of {initial}")
    return found


def held_is_sold(state: State) -> list[str]:
    """At the end, each confirmed order of tracked stock holds its reservation; no other reservation is held."""
    wanted = {
        str(row["reservation_id"]): (row["product_id"], row["quantity"])
        for row in state.with_status("confirmed")
        if row["reservation_id"] and row["product_id"] in state.initial_stock
    }
    held = {
        _hex(row["id"]): (row["product_id"], row["quantity"])
        for row in state.reservations
        if row["status"] == "held" and row["takes_stock"]
    }
    wanted = {_hex(key): value for key, value in wanted.items()}
    return [
        f"reservation {key}: the order says {wanted.get(key)}, products says {held.get(key)}"
        for key in sorted(wanted.keys() | held.keys())
        if wanted.get(key) != held.get(key)
    ]


def _hex(identifier: object) -> str:
    """Return a UUID as SQLite stores it, from either database."""
    return str(identifier).replace("-", "")


def sales_equal_confirmed_orders(state: State) -> list[str]:
    """Each confirmed order's event took effect exactly once."""
    ordered: Counter[int] = Counter()
    for row in state.with_status("confirmed"):
        ordered[row["product_id"]] += row["quantity"]
    sold = Counter({row["product_id"]: row["units_sold"] for row in state.sales})
    return [
        f"product {product}: {sold[product]} units sold of {ordered[product]} ordered"
        for product in sorted(ordered.keys() | sold.keys())
        if sold[product] != ordered[product]
    ]


def outbox_is_drained(state: State) -> list[str]:
    """Every event was sent."""
    dead = sum(row["dead_at"] is not None for row in state.outbox)
    return [f"{len(state.outbox)} events are still in the outbox, {dead} of them dead"] if state.outbox else []


@dataclass(frozen=True)
class Invariant:
    """A promise and its check."""

    promise: str
    check: Callable[[State], list[str]]


INVARIANTS = (
    Invariant("acknowledged = stored, once", acknowledged_is_stored_once),
    Invariant("nothing stored that nobody asked for", nothing_is_stored_unasked),
    Invariant("same key = same order", same_key_is_same_order),
    Invariant("every retried key had a final answer", every_client_was_answered),
    Invariant("no order pending for ever", no_order_is_pending),
    Invariant("rejected orders hold nothing", rejected_orders_hold_nothing),
    Invariant("stock + held and sold = initial stock", stock_is_conserved),
    Invariant("held = quantities of confirmed orders", held_is_sold),
    Invariant("units sold = quantities of confirmed orders", sales_equal_confirmed_orders),
    Invariant("outbox drained", outbox_is_drained),
)


def violations(state: State) -> dict[str, list[str]]:
    """Return the violations of each promise."""
    return {invariant.promise: invariant.check(state) for invariant in INVARIANTS}
