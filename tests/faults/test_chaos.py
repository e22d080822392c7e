"""Random kills do not break a promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import chaos
from tests.faults.postgresql import Cluster
from tests.faults.schedule import make_schedule

VICTIMS = ["postgresql", "rabbitmq", "products", "orders", "recovery", "relay", "consumer"]


def test_a_seed_replays_its_schedule_and_another_does_not() -> None:
    one = make_schedule(seed=1, seconds=90, kills=30, victims=VICTIMS)

    assert one == make_schedule(seed=1, seconds=90, kills=30, victims=VICTIMS)
    assert one != make_schedule(seed=2, seconds=90, kills=30, victims=VICTIMS)
    assert len(one) == 30
    assert {strike.victim for strike in one} == set(VICTIMS)
    assert one == sorted(one)


@pytest.mark.timeout(1800)
def test_no_promise_breaks_under_random_kills(tmp_path: Path, cluster: Cluster) -> None:
    options = chaos.from_environment()
    print(options)  # a failing run prints how to replay it: FAULTS_SEED=… make faults

    report = chaos.run(tmp_path, cluster, **options)
    chaos.keep(report)

    assert report.violations == {promise: [] for promise in report.violations}, options
    assert report.kills.total() == options["kills"], options
    assert len(report.kills) == min(len(VICTIMS), options["kills"]), options
    assert report.answers["201"] >= 10, report
