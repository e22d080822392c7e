"""Every named step of an order meets a crash before and after it, an exception and a hang; then the client retries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from ops.fault_points import Action, fired
from tests.faults import results
from tests.faults.chaos import World, running_world
from tests.faults.clients import Client
from tests.faults.features import KEYS, fault_points
from tests.faults.invariants import violations
from tests.faults.killing import Killer
from tests.faults.ledger import Ledger
from tests.faults.postgresql import Cluster

CLIENT_TIMEOUT = 3.0  # seconds until a client takes a hang for lost and tries again
WITHIN = 60.0  # seconds; a bound on hanging
# Steps that each order of an untracked product passes. A step of tracked stock only goes into TRACKED_ONLY.
TRACKED_ONLY: frozenset[str] = frozenset()
POINTS = fault_points()


@dataclass
class Stage:
    """The running services, and the file that arms their points."""

    world: World
    file: Path
    ledger: Ledger
    client: Client
    killer: Killer
    cells: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def broken_promises(self) -> list[str]:
        return [text for found in violations(self.world.state(self.ledger)).values() for text in found]


@pytest.fixture(scope="module")
def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("fault_points")
    file = directory / "fault"
    with ExitStack() as stack:
        world = stack.enter_context(running_world(directory, cluster, FAULT_POINT=str(file)))
        ledger = Ledger(directory / "ledger.jsonl")
        stack.callback(ledger.close)
        client = Client(world.orders.url, ledger, "fault points", timeout=CLIENT_TIMEOUT)
        stage = Stage(world, file, ledger, client, Killer(world.victims))
        yield stage
        results.record(
            "fault_points",
            tried=f"{len(stage.cells)} cells: {len(POINTS)} fault points, each with "
            + ", ".join(action.replace("_", " ") for action in Action),
            promises=len(violations(world.state(ledger))),
            violations=stage.violations,
        )


@pytest.mark.parametrize(("point", "action"), [*product(POINTS, Action)])
def test_an_order_survives_what_happens_at_a_fault_point(stage: Stage, point: str, action: Action) -> None:
    product_id = 2 if point in TRACKED_ONLY else 1
    stage.file.write_text(f"{point}:{action}")

    ended = stage.client.place(product_id=product_id, quantity=2, give_up_at=time.monotonic() + WITHIN)
    wait_until_fired(stage)
    fired(stage.file).unlink()
    stage.world.orders.wait_until_ready(WITHIN)

    deadline = time.monotonic() + WITHIN
    while (broken := stage.broken_promises()) and time.monotonic() < deadline:
        stage.killer.raise_the_fallen()
        time.sleep(0.2)
    stage.cells.append(f"{point}:{action}")
    stage.violations += [f"{point} {action}: {text}" for text in broken]
    assert broken == []
    if KEYS:  # else the client had to leave it at one try
        assert ended.status == 201
    again = stage.client.place(product_id=product_id, quantity=1, give_up_at=time.monotonic() + WITHIN)
    assert again.status == 201


def wait_until_fired(stage: Stage) -> None:
    """A worker passes its points some time after the order; a request has done so before it is answered."""
    deadline = time.monotonic() + WITHIN
    while not fired(stage.file).exists():
        stage.killer.raise_the_fallen()
        assert time.monotonic() < deadline, "the fault point was never passed"
        time.sleep(0.05)
