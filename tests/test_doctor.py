"""doctor of both services as processes, healthy and with every fault; the twelve factors of a running one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from subprocess import CompletedProcess

import django
import psycopg
import pytest

from tests.processes import ROOT, database, manage, running_stack


def levels(done: CompletedProcess[str]) -> dict[str, str]:
    """Return the worst level of each check."""
    order = ("ok", "warning", "failure")
    found: dict[str, str] = {}
    for line in json.loads(done.stdout)["checks"]:
        found[line["id"]] = max(found.get(line["id"], "ok"), line["level"], key=order.index)
    return found


def test_it_passes_a_running_stack_and_names_the_peer_that_is_gone(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        well = [manage(s.project, "doctor", "--json", "--strict", env=s.env) for s in (stack.orders, stack.products)]
        wrong_peer = stack.orders.env | {"PRODUCTS_SERVICE_URL": stack.orders.url}
        mistaken = manage("orders_project", "doctor", "--json", env=wrong_peer)
        factors = manage(
            "orders_project", "twelve_factor", "--json", env=stack.orders.env | {"PORT": str(stack.orders.port)}
        )
        stack.products.kill()
        alone = manage("orders_project", "doctor", env=stack.orders.env)

    assert [done.returncode for done in well] == [0, 0], [done.stdout for done in well]
    assert "PRODUCTS_SERVICE_URL: Products 1.0.0 has GET /products/{id}" in well[0].stdout
    assert mistaken.returncode == 1
    assert {check for check, level in levels(mistaken).items() if level != "ok"} == {"peer.contract"}
    expected = {"X.dev_prod_parity": "warning"} if stack.orders.env["DATABASE_URL"].startswith("sqlite") else {}
    if f"\ndjango=={django.__version__} " not in (ROOT / "requirements" / "orders.txt").read_text():
        expected |= {"II.dependencies": "failure"}  # the lane of another Django, of which only it differs
        assert json.loads(factors.stdout)["counts"]["failures"] == 1, factors.stdout
    assert factors.returncode == ("failure" in expected.values()), factors.stdout
    assert {factor: level for factor, level in levels(factors).items() if level != "ok"} == expected
    assert alone.returncode == 1
    assert "failure  peer.healthy               PRODUCTS_SERVICE_URL: Connection refused" in alone.stdout
    assert "warning  peer.contract              not known" in alone.stdout


def test_everything_broken_is_lines_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = {
        "DATABASE_URL": "postgres://me:canary@127.0.0.1:1/shop",
        "PRODUCTS_SERVICE_URL": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "PUSHGATEWAY_URL": "http://127.0.0.1:1",
        "COMMAND_METRICS_DIR": str(tmp_path / "file"),
        "DJANGO_ENV": "production",
        "SECRET_KEY": "abcdefgh" * 4,
        "SERVICE_TOKEN": "hgfedcba" * 4,
        "ALLOWED_HOSTS": "shop.internal",
    }
    done = manage("orders_project", "doctor", "--json", env=env)

    assert done.returncode == 1
    failures = {check for check, level in levels(done).items() if level == "failure"}
    assert failures - {"static.collected"} == {"database.reachable", "peer.healthy"}
    assert {check for check, level in levels(done).items() if level == "warning"} == {
        "configuration.sound",  # SERVICE_TOKEN is deprecated
        "secrets.strong",
        "django.checks",
        "database.migrated",
        "database.sessions",
        "database.clock",
        "database.connections",
        "peer.contract",
        "identity.token",
        "telemetry.reachable",
        "telemetry.command_metrics",
    }
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.skipif("TEST_DATABASE_URL" not in os.environ, reason="SQLite has one encoding; CI has PostgreSQL")
def test_a_database_that_is_not_in_utf8_is_named(tmp_path: Path) -> None:
    with (
        database(tmp_path, "latin") as url,
        psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as server,
    ):
        name = url.rsplit("/", 1)[1]
        server.execute(f'DROP DATABASE "{name}"')
        server.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'")

        done = manage("orders_project", "doctor", "--json", env={"DATABASE_URL": url})

    said = {line["id"]: (line["level"], line["says"]) for line in json.loads(done.stdout)["checks"]}
    assert said["database.sessions"] == ("failure", "the database's encoding is LATIN1")


def test_a_faulty_environment_is_lines_too() -> None:
    done = manage("products_project", "doctor", env={"PORT": "abc", "DATABASE_URL": "mysql://me:canary@db/x"})

    assert done.returncode == 1
    assert "failure  configuration.sound        PORT: must be a valid integer" in done.stdout
    assert "Everything else needs a sound environment." in done.stderr
    assert "canary" not in done.stdout + done.stderr
