"""Kill processes at random while clients order, then compare the databases with the clients' answers.

`python -m tests.faults.chaos --seconds 600 --seed 1` runs longer than `make faults`. The same seed gives the same kills
in the same order and the same orders. The timing of the machine still differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg

from tests.faults import invariants, rabbitmq, results
from tests.faults.clients import Client, ordering
from tests.faults.databases import Databases, new_databases
from tests.faults.killing import Killer
from tests.faults.ledger import Ledger
from tests.faults.postgresql import Cluster, running_cluster
from tests.faults.schedule import make_schedule
from tests.faults.victims import Victim, WebVictim, workers
from tests.processes import Service, free_port, stop_all

CLIENTS = 4
TRACKED, UNTRACKED = 2, 1  # products
STOCK_PER_SECOND = 25  # of a run; so that a product sells out for some clients only
# Short, so that work left by a crash is taken over soon.
LEASES = {"PRODUCTS_DEADLINE": "2", "ORDER_LEASE": "3", "ORDER_PATIENCE": "3", "EVENTS_TIMEOUT": "3"}
SETTLED_WITHIN = 120.0  # seconds; a bound on hanging, not a promise


@dataclass
class Report:
    """The actions and findings of one run."""

    seed: int
    kills: Counter[str]
    fell: Counter[str]
    intents: int = 0
    requests: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    settled_in: float = 0.0
    violations: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        return not any(self.violations.values())

    def as_document(self) -> dict[str, Any]:
        return {**vars(self), "total_kills": self.kills.total()}


@dataclass
class World:
    """All processes and databases of a run."""

    cluster: Cluster
    databases: Databases
    products: Service
    orders: Service
    victims: list[Victim]
    initial_stock: int

    def state(self, ledger: Ledger) -> invariants.State:
        return invariants.read_state(
            orders_url=self.cluster.url(self.databases.orders),
            products_url=self.cluster.url(self.databases.products),
            intents=ledger.intents(),
            initial_stock={TRACKED: self.initial_stock},
        )


@contextmanager
def running_world(
    directory: Path, cluster: Cluster, *, stock: int, over_rabbitmq: bool = True, env: Mapping[str, str] | None = None
) -> Iterator[World]:
    """Yield both services, their workers, PostgreSQL and, if events use it, RabbitMQ; `env` goes to each."""
    with ExitStack() as stack:
        databases = new_databases(cluster)
        port = free_port()
        shared = {"PRODUCTS_BREAKER_OPEN_FOR": "1", **LEASES, **(env or {})}
        victims: list[Victim] = [cluster]
        if over_rabbitmq:
            node = stack.enter_context(rabbitmq.running_node())
            victims.append(node)
            shared["EVENTS_URL"] = node.url()
        else:
            shared["EVENTS_URL"] = f"http://127.0.0.1:{port}/events"
        envs = {
            "products_project": {"DATABASE_URL": cluster.url(databases.products), **shared},
            "orders_project": {
                "DATABASE_URL": cluster.url(databases.orders),
                "PRODUCTS_SERVICE_URL": f"http://127.0.0.1:{port}",
                **shared,
            },
        }
        with psycopg.connect(cluster.url(databases.products), autocommit=True) as connection:
            connection.execute("UPDATE products_product SET stock = %s WHERE id = %s", (stock, TRACKED))
        products = Service("products_project", directory, envs["products_project"], port)
        orders = Service("orders_project", directory, envs["orders_project"])
        stack.callback(stop_all, products, orders)
        background = workers(envs, directory)
        for web in (products, orders):
            web.start(ready_within=0)
        for worker in background:
            worker.start()
            stack.callback(worker.kill)
        for web in (products, orders):
            web.wait_until_ready(60)
        victims += [WebVictim("products", products), WebVictim("orders", orders), *background]
        yield World(cluster, databases, products, orders, victims, stock)


def run(directory: Path, cluster: Cluster, *, seed: int, seconds: float, kills: int) -> Report:
    """Order and kill for this time, restart everything, wait until all orders are resolved, and check every promise."""
    with running_world(directory, cluster, stock=int(STOCK_PER_SECOND * seconds)) as world:
        killer = Killer(world.victims)
        schedule = make_schedule(seed=seed, seconds=seconds, kills=kills, victims=list(killer.victims))
        ledger = Ledger(directory / "ledger.jsonl")
        clients = [
            Client(world.orders.url, ledger, f"{seed}/{number}", (UNTRACKED, TRACKED)) for number in range(CLIENTS)
        ]
        with closing(ledger), ordering(clients, settled_within=SETTLED_WITHIN):
            killer.carry_out(schedule)
            killer.heal()
        report = Report(seed, killer.kills, killer.fell)
        started = time.monotonic()
        while True:  # until all orders are resolved, or the time is over
            report.violations = invariants.violations(world.state(ledger))
            report.settled_in = round(time.monotonic() - started, 1)
            if report.is_sound or report.settled_in > SETTLED_WITHIN:
                break
            time.sleep(0.5)
        for intent in ledger.intents().values():
            report.intents += 1
            report.requests += intent.sent
            for attempt in intent.attempts:
                report.answers[f"{attempt.status or attempt.error} {attempt.body.get('code', '')}".strip()] += 1
        return report


def keep(report: Report) -> None:
    """Add the run to the table of results."""
    kills = ", ".join(f"{name} {count}" for name, count in sorted(report.kills.items()))
    results.record(
        "random_kills",
        tried=f"{report.kills.total()} random kills ({kills}) under {report.requests} requests, seed {report.seed}",
        promises=len(report.violations),
        violations=[text for found in report.violations.values() for text in found],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90.0, help="how long to kill (default: 90)")
    parser.add_argument("--kills", type=int, help="how many kills (default: one every three seconds)")
    parser.add_argument("--seed", type=int, help="of a run to replay (default: a new one)")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    kills = options.kills or max(1, int(options.seconds / 3))
    print(f"FAULTS_SEED={seed} FAULTS_SECONDS={options.seconds:g} FAULTS_KILLS={kills}", flush=True)
    directory = Path(mkdtemp(prefix="argos-chaos-"))
    with running_cluster() as cluster:
        report = run(directory, cluster, seed=seed, seconds=options.seconds, kills=kills)
    print(json.dumps(report.as_document(), indent=2))
    keep(report)
    if not report.is_sound:
        print(f"Logs and the ledger are in {directory}.", file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    return 0


def from_environment() -> dict[str, Any]:
    """Return the options of FAULTS_SEED, FAULTS_SECONDS and FAULTS_KILLS."""
    seconds = float(os.environ.get("FAULTS_SECONDS") or 90)
    return {
        "seed": int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000)),
        "seconds": seconds,
        "kills": int(os.environ.get("FAULTS_KILLS") or seconds / 3),
    }


if __name__ == "__main__":
    sys.exit(main())
