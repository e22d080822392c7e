"""Each query is counted and timed, in the metrics of django-prometheus."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from prometheus_client import REGISTRY

from ops.telemetry.measured_cursors import measured


class Refused(Exception):
    pass


class Cursor:
    """A database's own cursor, wrapped by the measured one."""

    def execute(self, query: str) -> str:
        if query == "refuse":
            raise Refused
        return query

    def executemany(self, query: str, parameters: list[Any]) -> str:
        return Cursor.execute(self, query)


@pytest.fixture
def alias() -> str:
    return uuid4().hex  # the threads of a real database's pool query it now and then


def cursor(alias: str) -> Any:
    return measured(Cursor, alias, "some")()


def value(name: str, alias: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"django_db_{name}", {"alias": alias, **labels}) or 0.0


def counts(alias: str) -> list[float]:
    names = ("execute_total", "execute_many_total", "query_duration_seconds_count")
    return [value(name, alias, vendor="some") for name in names]


def test_a_query_is_counted_and_timed_once(alias: str) -> None:
    assert cursor(alias).execute("ask") == "ask"

    assert counts(alias) == [1, 0, 1]


def test_many_at_once_are_each_counted_and_timed_together(alias: str) -> None:
    assert cursor(alias).executemany("ask", [[1], [2], [3]]) == "ask"

    assert counts(alias) == [3, 3, 1]


@pytest.mark.parametrize("many", [False, True])
def test_a_query_that_fails_is_timed_and_counted_by_its_error(alias: str, many: bool) -> None:
    one = cursor(alias)
    execute, arguments = (one.executemany, ["refuse", [[1]]]) if many else (one.execute, ["refuse"])
    with pytest.raises(Refused):
        execute(*arguments)

    assert value("errors_total", alias, vendor="some", type="Refused") == 1
    assert value("query_duration_seconds_count", alias, vendor="some") == 1


def test_one_class_serves_all_cursors_of_a_database() -> None:
    assert measured(dict, "default", "some") is measured(dict, "default", "some")


@pytest.mark.django_db
def test_djangos_connection_measures_what_it_executes() -> None:
    def count() -> float:
        return value("execute_total", "default", vendor=connection.vendor)

    before = count()
    with connection.cursor() as real:
        real.execute("SELECT 1")

    assert count() > before


def test_the_databases_own_engine_uses_them(db: None) -> None:
    with connection.cursor() as used:
        assert "MeasuredCursor" in [kind.__name__ for kind in type(used.cursor).__mro__]
