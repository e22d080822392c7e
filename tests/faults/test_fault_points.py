"""Every step suffers a crash before and after it, an exception and a hang; then the client retries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from events.fault_points import EventStep
from ops.testing.fault_points import Action, fired
from orders_project.orders.fault_points import OrderStep
from products_project.products.fault_points import ReservationStep
from tests.faults import results
from tests.faults.chaos import TRACKED, UNTRACKED, World, running_world
from tests.faults.clients import Client
from tests.faults.invariants import violations
from tests.faults.killing import Killer
from tests.faults.ledger import Attempt, Ledger
from tests.faults.postgresql import Cluster

CLIENT_TIMEOUT = 2.0  # seconds until a client gives up on a hang and retries
WITHIN = 60.0  # seconds; a bound on hanging
PASSED_WITHIN = (
    20.0  # seconds until another order is sent: on a slow machine, recovery may have resolved this one before
)
STOCK = 10_000
LEASES = {"WEB_QUEUE_TIMEOUT": "0.9", "PRODUCTS_DEADLINE": "1", "ORDER_LEASE": "1.5", "ORDER_PATIENCE": "1.5"}
# The outcome depends on whether the client or recovery reaches the order first.
SETTLED = ("201 confirmed", "409 order_expired")


@dataclass(frozen=True)
class Scenario:
    """An order that passes a point, and its possible outcomes; `left_at` is the point where its first request fails."""

    product_id: int = UNTRACKED
    quantity: int = 2
    endings: tuple[str, ...] = ("201 confirmed",)
    left_at: str = ""


SCENARIOS: dict[str, Scenario] = {  # an order of an untracked product passes the other points
    OrderStep.STORE_PENDING: Scenario(TRACKED, endings=SETTLED),
    OrderStep.RESERVE: Scenario(TRACKED, endings=SETTLED),
    OrderStep.CONFIRM: Scenario(TRACKED, endings=SETTLED),
    OrderStep.REJECT: Scenario(TRACKED, STOCK + 1, endings=("409 out_of_stock", "409 order_expired")),
    # Of an order that its client has left behind with a reservation, and without one.
    OrderStep.FIND_RESERVATION: Scenario(TRACKED, left_at=OrderStep.RESERVE),
    OrderStep.RELEASE: Scenario(TRACKED, endings=("409 order_expired",), left_at=OrderStep.STORE_PENDING),
    ReservationStep.RESERVE: Scenario(TRACKED, endings=SETTLED),
    ReservationStep.RELEASE: Scenario(TRACKED, endings=("409 order_expired",), left_at=OrderStep.STORE_PENDING),
}


POINTS = [str(step) for steps in (OrderStep, ReservationStep, EventStep) for step in steps]


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

    def arm(self, point: str, action: Action) -> None:
        ready = self.file.with_suffix(".ready")
        ready.write_text(f"{point}:{action}")
        ready.rename(self.file)

    def has_fired(self, *, within: float) -> bool:
        """Wait for the point; a worker passes its points some time after the answer to the order."""
        deadline = time.monotonic() + within
        while not self.has_gone_off:
            self.killer.raise_the_fallen()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    @property
    def has_gone_off(self) -> bool:
        return fired(self.file).exists()

    def disarm(self) -> None:
        """End a hang."""
        fired(self.file).unlink()

    def settled(self) -> list[str]:
        """Wait until no promise is broken; return the last violations."""
        deadline = time.monotonic() + WITHIN
        while (broken := self.broken_promises()) and time.monotonic() < deadline:
            self.killer.raise_the_fallen()
            time.sleep(0.1)
        return broken

    def broken_promises(self) -> list[str]:
        return [text for found in violations(self.world.state(self.ledger)).values() for text in found]


@pytest.fixture(scope="module")
def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("fault_points")
    file = directory / "fault"
    with ExitStack() as stack:
        world = stack.enter_context(
            running_world(directory, cluster, stock=STOCK, env={"FAULT_POINT": str(file), **LEASES})
        )
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
    scenario = SCENARIOS.get(point, Scenario())
    key = stage.client.new_key()
    if point == EventStep.CLAIM:  # else it is passed at once, with nothing to claim
        stage.killer.victims["relay"].kill()
    if scenario.left_at:
        stage.killer.victims["recovery"].kill()  # until the point is armed
        stage.arm(scenario.left_at, Action.EXCEPTION)
        while not stage.has_gone_off:
            place(stage, scenario, key, tries_for=0)
        stage.disarm()

    stage.arm(point, action)
    if scenario.left_at:
        assert stage.has_fired(within=WITHIN), "the fault point was never passed"
        ended = place(stage, scenario, key)
    else:
        ended = place(stage, scenario, key)
        while not stage.has_fired(within=PASSED_WITHIN):
            ended = place(stage, scenario, stage.client.new_key())
    stage.disarm()
    broken = stage.settled()

    stage.cells.append(f"{point}:{action}")
    stage.violations += [f"{point} {action}: {text}" for text in broken]
    assert broken == []
    assert f"{ended.status} {ended.body.get('code') or ended.body.get('status')}" in scenario.endings, ended
    assert place(stage, Scenario(), stage.client.new_key()).status == 201


def place(stage: Stage, scenario: Scenario, key: str, *, tries_for: float = WITHIN) -> Attempt:
    return stage.client.place(
        product_id=scenario.product_id,
        quantity=scenario.quantity,
        key=key,
        give_up_at=time.monotonic() + tries_for,
    )
