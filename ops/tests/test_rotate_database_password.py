"""rotate_database_password: two login roles in turn, and what is refused; tests/test_database_password.py has load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.test import override_settings
from pydantic import SecretStr

from ops.cli.command import FAILED, USAGE
from ops.tests.run_command import run
from ops.tests.settings import CONFIG

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no roles"),
]
COMMAND = "rotate_database_password"


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def serving(name: str) -> Iterator[None]:
    """Let DATABASE_URL name this role, as a service with an owner has it."""
    place = connection.settings_dict
    url = f"postgres://{name}:x@{place['HOST']}:{place['PORT'] or 5432}/{place['NAME']}"
    with override_settings(CONFIG=CONFIG.model_copy(update={"database_url": SecretStr(url)})):
        yield


@pytest.fixture
def role() -> Iterator[str]:
    """Make the role of a service, and remove both of its roles afterwards."""
    name = f"shop_{uuid4().hex[:8]}"
    execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    with serving(name):
        yield name
    for each in (f"{name}_2", name):
        execute(f"DROP ROLE IF EXISTS {each}")


def log_in(url: str) -> str:
    with psycopg.connect(url) as session:
        return str(session.info.user)


def test_the_idle_role_gets_a_password_and_the_rights_of_the_other_one(role: str) -> None:
    code, url, _ = run(COMMAND)

    assert (code, log_in(url.strip())) == (0, f"{role}_2")
    with serving(f"{role}_2"):
        assert run(COMMAND, "--lock")[:2] == (0, f"{role} cannot log in any more.\n")
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        log_in(urlsplit(url.strip())._replace(netloc=f"{role}:x@127.0.0.1").geturl())


def test_a_dry_run_changes_nothing(role: str) -> None:
    assert run(COMMAND, "--dry-run")[:2] == (0, f"Would give {role}_2 a new password. Nothing was changed.\n")
    assert run(COMMAND, "--lock")[:2] == (0, f"Nothing to lock: {role}_2 does not exist.\n")


def test_a_role_that_still_serves_is_left_alone(role: str) -> None:
    _, url, _ = run(COMMAND)

    with psycopg.connect(url.strip()):
        code, _, errors = run(COMMAND)

    assert code == FAILED
    assert f"{role}_2 has 1 session" in errors


def test_a_role_of_another_service_is_left_alone(role: str) -> None:
    execute(f"CREATE ROLE {role}_2")

    code, _, errors = run(COMMAND)

    assert code == FAILED
    assert f"{role}_2 exists and has nothing to do with {role}." in errors


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (lambda: "s" * 62, f"{'s' * 62}_2 is longer than PostgreSQL's 63 bytes."),
        (lambda: str(connection.settings_dict["USER"]), "DATABASE_URL must name the role of the service"),
    ],
)
def test_a_role_that_cannot_take_turns_is_refused(name: Callable[[], str], fault: str) -> None:
    with serving(name()):
        code, _, errors = run(COMMAND)

    assert code == USAGE
    assert fault in errors
