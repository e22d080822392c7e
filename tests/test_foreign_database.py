"""migrate refuses a database whose history is of another service or project, and says what it found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orders_database import execute
from tests.processes import database, manage

HISTORY = (
    "CREATE TABLE django_migrations (id integer PRIMARY KEY, app varchar(255), name varchar(255), applied timestamp)"
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with database(tmp_path, "foreign") as url:
        yield url


def migrate(project: str, url: str) -> tuple[int, str]:
    done = manage(project, "migrate", "--verbosity", "0", env={"DATABASE_URL": url})
    return done.returncode, done.stderr.splitlines()[-1]


def apply(url: str, *migrations: str) -> None:
    """Write migrations into the history, as if they had been applied."""
    for number, migration in enumerate(migrations, 1000):
        app, name = migration.split(".")
        values = f"({number}, '{app}', '{name}', '2026-11-28')"
        execute(url, f"INSERT INTO django_migrations (id, app, name, applied) VALUES {values}")


def test_the_database_of_the_other_service_is_refused_and_left_as_it_is(url: str) -> None:
    assert migrate("orders_project", url)[0] == 0
    before = execute(url, "SELECT app, name FROM django_migrations ORDER BY id")

    code, said = migrate("products_project", url)

    assert code == 2
    assert "holds the migrations of orders, outbox: it belongs to another service or project." in said
    assert "set DATABASE_URL to this service's own" in said
    assert execute(url, "SELECT app, name FROM django_migrations ORDER BY id") == before


def test_the_database_of_another_project_is_refused_also_where_both_have_orders(url: str) -> None:
    execute(url, HISTORY)
    apply(url, "contenttypes.0001_initial", "cart.0001_initial", "orders.0001_initial", "orders.0002_gift_wrapping")

    code, said = migrate("orders_project", url)

    assert code == 2
    assert "holds the migrations of cart:" in said


def test_the_database_of_a_project_without_django_is_refused(url: str) -> None:
    execute(url, "CREATE TABLE alembic_version (version_num varchar(32))")

    code, said = migrate("products_project", url)

    assert code == 2
    assert "holds alembic_version (Alembic):" in said


def test_what_a_release_that_was_rolled_back_left_behind_is_no_reason_to_refuse(url: str) -> None:
    assert migrate("orders_project", url)[0] == 0
    apply(url, "axes.0001_initial", "orders.9999_from_the_future")

    assert migrate("orders_project", url)[0] == 0


def test_a_first_run_that_was_broken_off_goes_on(url: str) -> None:
    assert manage("orders_project", "migrate", "contenttypes", env={"DATABASE_URL": url}).returncode == 0

    assert migrate("orders_project", url)[0] == 0
