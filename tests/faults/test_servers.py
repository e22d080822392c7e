"""The servers that other tests crash restart with their acknowledged data."""

from __future__ import annotations

import psycopg

from tests.faults import rabbitmq
from tests.faults.postgresql import Cluster


def test_postgresql_keeps_over_a_crash_what_it_committed(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("INSERT INTO kept VALUES (7)")

    cluster.kill()
    assert not cluster.answers()
    cluster.start()

    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        assert connection.execute("SELECT id FROM kept").fetchall() == [(7,)]
        connection.execute("DROP TABLE kept")


def test_rabbitmq_comes_back_on_its_port() -> None:
    with rabbitmq.running_node() as node:
        node.kill()
        assert not node.answers()

        node.start()

        assert node.answers()
