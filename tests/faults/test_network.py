"""Every link suffers every fault: the client's answer, its time, and the recovery after the repair."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from tests.faults import results
from tests.faults.network import FAULTS, Ended, Network, running_network
from tests.faults.postgresql import Cluster

PATIENCE = 5.0  # seconds until a client gives up
UNANSWERED = "no answer"
UNAVAILABLE = "500 products_unavailable"
BROKEN = "503 database_unavailable"
HEALED_WITHIN = 60.0  # seconds; a bound on hanging, like those below


@dataclass(frozen=True)
class Cell:
    """The promised effect of one fault on one link."""

    link: str
    fault: str
    promised: str
    within: float = 60.0  # seconds, ten times a deadline or the longest observed time

    def __str__(self) -> str:
        return f"{self.link}-{self.fault}"


def cells(link: str, promised: dict[str, str]) -> list[Cell]:
    assert promised.keys() == FAULTS.keys()
    return [Cell(link, fault, outcome) for fault, outcome in promised.items()]


SENT, HELD_UP = "201, sent", "201, held up"
SLOW_IS_WELL = {"latency": "201", "jitter": "201", "bandwidth": "201"}
CELLS = [
    *cells(
        "client->orders",
        SLOW_IS_WELL
        | {
            "reset": UNANSWERED,
            "half_close": "201",
            "black_hole": UNANSWERED,
            "truncated": UNANSWERED,
            "cut_after_request": UNANSWERED,
        },
    ),
    *cells(
        "orders->products",
        SLOW_IS_WELL
        | {
            "reset": UNAVAILABLE,
            "half_close": "201",
            "black_hole": UNAVAILABLE,
            "truncated": UNAVAILABLE,
            "cut_after_request": UNAVAILABLE,
        },
    ),
    *cells(
        "orders->database",
        SLOW_IS_WELL
        | {
            "reset": BROKEN,
            "half_close": "201",  # an order's one statement is answered before PostgreSQL ends the session
            "black_hole": BROKEN,
            "truncated": BROKEN,
            "cut_after_request": BROKEN,
        },
    ),
    *cells(
        "products->database",
        SLOW_IS_WELL
        | {
            "reset": UNAVAILABLE,
            "half_close": "201",  # the same for a read
            "black_hole": UNAVAILABLE,
            "truncated": UNAVAILABLE,
            "cut_after_request": UNAVAILABLE,
        },
    ),
    *cells(
        "relay->broker",  # clients do not wait for it, events are not lost, and an event that arrives twice counts once
        {
            "latency": SENT,
            "jitter": SENT,
            "bandwidth": SENT,
            "reset": HELD_UP,
            "half_close": HELD_UP,
            "black_hole": HELD_UP,
            "truncated": HELD_UP,
            "cut_after_request": HELD_UP,
        },
    ),
]


@pytest.fixture(scope="module")
def network(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with running_network(tmp_path_factory.mktemp("network"), cluster) as running:
        yield running


@pytest.fixture(scope="module")
def kept() -> Iterator[list[tuple[Cell, str]]]:
    """Collect the result of each cell for the table."""
    found: list[tuple[Cell, str]] = []
    yield found
    results.record(
        "network_faults",
        tried=f"{len(found)} cells: {len({cell.link for cell, _ in found})} links, each with "
        + ", ".join(sorted({cell.fault for cell, _ in found})).replace("_", " "),
        promises=len(found),
        violations=[f"{cell}: {outcome}" for cell, outcome in found if outcome != cell.promised],
    )


def outcome_of(ended: Ended) -> str:
    return f"{ended.status} {ended.code}".strip() if ended.status else UNANSWERED


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_damaged_link_means_what_is_promised_and_heals(
    network: Network, kept: list[tuple[Cell, str]], cell: Cell
) -> None:
    held_up = network.logged("relay", "relay.held_up")
    network.links[cell.link].fault = FAULTS[cell.fault]
    try:
        ended = network.order(timeout=PATIENCE if cell.promised == UNANSWERED else cell.within)
        outcome = outcome_of(ended)
        if cell.link == "relay->broker":
            outcome += f", {network.announced(held_up_before=held_up)}"
    finally:
        healed = network.heal(within=HEALED_WITHIN)

    kept.append((cell, outcome))
    assert outcome == cell.promised, ended
    assert ended.seconds < cell.within
    assert healed < HEALED_WITHIN
    if ended.status >= 400:
        assert ended.content_type == "application/problem+json"


def test_one_clients_black_hole_keeps_nobody_else_waiting(network: Network) -> None:
    network.links["client->orders"].fault = FAULTS["black_hole"]
    lost = [threading.Thread(target=network.order, kwargs={"timeout": PATIENCE}) for _ in range(8)]
    try:
        for thread in lost:
            thread.start()
        answer = requests.post(f"{network.orders.url}/orders", json={"productId": 1, "quantity": 1}, timeout=30)
    finally:
        network.heal()
        for thread in lost:
            thread.join()

    assert answer.status_code == 201


def test_a_database_behind_a_black_hole_makes_orders_unready_and_not_dead(network: Network) -> None:
    network.links["orders->database"].fault = FAULTS["black_hole"]
    deadline = time.monotonic() + 60
    try:
        while (
            requests.get(f"{network.orders.url}/readyz", timeout=30).status_code == 200
        ):  # a result is cached for a second
            assert time.monotonic() < deadline
            time.sleep(0.1)
        healthy = requests.get(f"{network.orders.url}/healthz", timeout=30).status_code
    finally:
        network.heal()

    assert healthy == 200


def test_a_database_behind_a_black_hole_does_not_hold_a_worker_for_ever(network: Network) -> None:
    said = {"relay": "relay.held_up", "recovery": "recovery.database_failed"}
    before = {worker: network.logged(worker, event) for worker, event in said.items()}
    network.links["workers->database"].fault = FAULTS["black_hole"]
    deadline = time.monotonic() + 60
    try:
        while any(network.logged(worker, event) == before[worker] for worker, event in said.items()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        healed = network.heal()  # which waits until the relay has sent

    assert healed < HEALED_WITHIN
    assert all(worker.is_running() for worker in network.workers)
