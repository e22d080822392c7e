"""Each query is counted and timed, in the metrics of django-prometheus."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection
from prometheus_client import REGISTRY

from ops.measured_cursors import measured


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"alias": "default", "vendor": connection.vendor, **labels}) or 0.0


@pytest.mark.django_db
def test_a_query_is_counted_and_timed_once() -> None:
    before = value("django_db_execute_total"), value("django_db_query_duration_seconds_count")

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert value("django_db_execute_total") - before[0] == 1
    assert value("django_db_query_duration_seconds_count") - before[1] == 1


@pytest.mark.django_db
def test_many_at_once_are_each_counted_and_timed_together() -> None:
    names = ("django_db_execute_total", "django_db_execute_many_total", "django_db_query_duration_seconds_count")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE measured_things (thing INTEGER)")
        before = [value(name) for name in names]
        cursor.executemany("INSERT INTO measured_things VALUES (%s)", [[1], [2], [3]])

    assert [value(name) - was for name, was in zip(names, before, strict=True)] == [3, 3, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("many", [False, True])
def test_a_query_that_fails_is_counted_by_its_error(many: bool) -> None:
    names = ("OperationalError", "UndefinedTable")
    before = sum(value("django_db_errors_total", type=name) for name in names)

    with connection.cursor() as cursor:
        execute: Any = cursor.executemany if many else cursor.execute
        parameters: Any = [[1]] if many else [1]
        with pytest.raises(DatabaseError):
            execute("INSERT INTO no_such_table VALUES (%s)", parameters)

    assert sum(value("django_db_errors_total", type=name) for name in names) - before == 1


def test_one_class_serves_all_cursors_of_a_database() -> None:
    assert measured(dict, "default", "some") is measured(dict, "default", "some")
