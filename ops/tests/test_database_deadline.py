"""Every wait for PostgreSQL is bounded, also if the server does not enforce it."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest
from django.db import connection

from ops import settings as shared
from ops.config.role import Role
from ops.database.connection import GRACE, connection_class
from ops.database.postgresql.base import has_ended
from ops.tests.settings import PlainConfig

POSTGRESQL = {"DATABASE_URL": "postgres://me@db.internal/x", "DATABASE_STATEMENT_TIMEOUT": "3"}


def options(process: Role = Role.WEB, **environ: str) -> dict[str, Any]:
    config = PlainConfig.read({**POSTGRESQL, **environ}).config
    assert config is not None
    found: dict[str, Any] = shared.databases(config, process)["default"]["OPTIONS"]
    return found


def test_a_requests_connection_gives_up_a_little_later_than_the_server() -> None:
    assert options()["pool"]["connection_class"].deadline == 3 + GRACE


def test_a_lost_peer_is_noticed_by_tcp_in_requests_and_in_commands() -> None:
    for found in (options(), options(Role.COMMAND)):
        assert found["tcp_user_timeout"] == 10_000
        assert (found["keepalives"], found["keepalives_idle"]) == (1, 10)


def test_the_pool_connects_anew_as_soon_as_somebody_asks_after_an_outage() -> None:
    assert options()["pool"]["reconnect_timeout"] == 1.0


@pytest.fixture
def address(db: None) -> dict[str, Any]:
    """Return the address of the tests' PostgreSQL."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no peer to wait for")
    parameters = connection.get_connection_params()
    return {name: parameters[name] for name in ("host", "port", "user", "password", "dbname") if name in parameters}


def test_a_statement_that_is_never_answered_is_given_up_and_its_connection_closed(address: dict[str, Any]) -> None:
    impatient = connection_class(0.3 - GRACE)
    started = time.monotonic()
    lasting = impatient.connect(**address, options="-c statement_timeout=60000")
    session = lasting.info.backend_pid

    with pytest.raises(psycopg.OperationalError):
        lasting.execute("SELECT pg_sleep(50)")

    assert lasting.closed
    assert time.monotonic() - started < 30
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 20000)", [session])


def test_a_statement_that_fails_leaves_its_connection_open(address: dict[str, Any]) -> None:
    with connection_class(60).connect(**address, autocommit=True, options="-c statement_timeout=50") as lasting:
        with pytest.raises(psycopg.errors.QueryCanceled):
            lasting.execute("SELECT pg_sleep(50)")

        assert lasting.execute("SELECT 1").fetchone() == (1,)


def test_an_idle_connection_is_judged_without_asking_its_server(address: dict[str, Any]) -> None:
    lasting = connection_class(60).connect(**address, autocommit=True)
    assert not has_ended(lasting)

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 20000)", [lasting.info.backend_pid])

    assert has_ended(lasting)
    lasting.close()
    assert has_ended(lasting)
