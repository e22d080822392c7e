"""Migrated and seeded databases on the tests' PostgreSQL: created once for a cluster, then copied."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from uuid import uuid4

from tests.faults.postgresql import Cluster
from tests.processes import PREPARATIONS, manage


@dataclass(frozen=True)
class Databases:
    """The names of the two databases, for `Cluster.url`."""

    products: str
    orders: str


def new_databases(cluster: Cluster) -> Databases:
    """Return two new databases."""
    if not cluster.has_templates:
        _make_templates(cluster)
    unique = uuid4().hex[:8]
    for project in PREPARATIONS:
        cluster.create(f"{project}_{unique}", template=project)
    return Databases(f"products_project_{unique}", f"orders_project_{unique}")


def _make_templates(cluster: Cluster) -> None:
    failures: list[str] = []

    def prepare(project: str) -> None:
        for arguments in PREPARATIONS[project]:
            done = manage(project, *arguments, env={"DATABASE_URL": cluster.url(project)})
            if done.returncode != 0:
                failures.append(done.stderr)

    threads = []
    for project in PREPARATIONS:
        cluster.create(project)
        threads.append(threading.Thread(target=prepare, args=(project,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert failures == []
    cluster.has_templates = True
