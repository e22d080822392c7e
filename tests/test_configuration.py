"""A faulty environment stops every process with one report; check_config shows all of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ops.tests.service_tokens import key_pair
from tests.processes import ROOT, clean_environment, database, free_port, manage, running_stack

FAULTY = {
    "PORT": "abc",
    "LOG_LEVEL": "loud",
    "DATABASE_URL": "mysql://me:canary@db/x",
    "WEB_CONCURRENCY": "2.0",  # gunicorn would end in a traceback of its own
}
REPORT = """\
{service}: the environment has 4 faults:
  DATABASE_URL: must be postgres://… or sqlite:///…
  LOG_LEVEL: must be 'debug', 'info', 'warning' or 'error'
  PORT: must be a valid integer
  WEB_CONCURRENCY: must be a valid integer
"""
SERVICES = [("products_project", "products-service"), ("orders_project", "orders-service")]


@pytest.mark.parametrize(("project", "service"), SERVICES)
@pytest.mark.parametrize("command", ["migrate", "runserver"])
def test_manage_py_refuses_a_faulty_environment(project: str, service: str, command: str) -> None:
    done = manage(project, command, env=FAULTY)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", REPORT.format(service=service))


@pytest.mark.parametrize(("project", "service"), SERVICES)
def test_gunicorn_refuses_a_faulty_environment(project: str, service: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.server"],
        cwd=ROOT,
        env=clean_environment(FAULTY | {"DJANGO_SETTINGS_MODULE": f"{project}.settings"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (2, "", REPORT.format(service=service))


def gunicorn(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops.server", *arguments],
        cwd=ROOT,
        env=clean_environment({"PORT": str(free_port()), **env}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_server_names_settings_that_are_no_services() -> None:
    done = gunicorn(DJANGO_SETTINGS_MODULE="mysite.settings")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "The settings of DJANGO_SETTINGS_MODULE=mysite.settings cannot be used: No module named 'mysite'.\n"
    )


def test_a_server_does_not_serve_one_service_with_the_settings_of_the_other() -> None:
    done = gunicorn("products_project.wsgi", DJANGO_SETTINGS_MODULE="orders_project.settings")

    assert done.returncode == 3  # gunicorn's own, for a worker that cannot start
    assert "this process already has orders_project.settings" in done.stdout + done.stderr


@pytest.mark.parametrize(("project", "service"), SERVICES)
def test_check_config_works_where_nothing_else_does(project: str, service: str) -> None:
    done = manage(project, "check_config", env=FAULTY | {"LOGFORMAT": "json"})

    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert done.returncode == 2
    assert done.stderr.endswith(REPORT.format(service=service))
    assert "LOGFORMAT is not a variable of" in done.stderr
    assert lines["PORT"].split(maxsplit=3) == ["PORT", "abc", "environment", "must be a valid integer"]
    assert lines["SECRET_KEY"].split() == ["SECRET_KEY", "***", "environment", "ok"]
    assert "WEB_THREADS" not in lines  # a sound default is not worth a line beside a fault
    assert "canary" not in done.stdout + done.stderr


def test_check_config_of_orders_tries_the_products_it_names(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        env = stack.orders.env
        found = manage("orders_project", "check_config", "--connect", "--json", env=env)
        stack.products.kill()
        lost = manage("orders_project", "check_config", "--connect", "--json", env=env)

    assert found.returncode == 0, found.stdout
    names = ("DATABASE_URL", "PRODUCTS_SERVICE_URL", "SERVICE_KEY")  # the last: products accepts its token
    assert json.loads(found.stdout)["connections"] == dict.fromkeys(names, "answers")
    assert lost.returncode == 1
    assert json.loads(lost.stdout)["problems"][0] == "PRODUCTS_SERVICE_URL: Connection refused"


@pytest.mark.parametrize("project", ["products_project", "orders_project"])
def test_a_sound_production_environment_passes_the_deployment_checks(tmp_path: Path, project: str) -> None:
    with database(tmp_path, "deploy") as url:
        (tmp_path / "key").write_text("k8Jw2xQm-Zr5Tn0Lc7Vb3Hs9Df4Gp6Ya1Ee-Ru5Mo2Pi8Wq3Xt6Bz9\n")
        env = {
            "DJANGO_ENV": "production",
            "SECRET_KEY": "",
            "SECRET_KEY_FILE": str(tmp_path / "key"),
            **key_pair(project.replace("_project", "-service")),
            "ALLOWED_HOSTS": "shop.internal",
            "DATABASE_URL": url,
        }
        done = manage(project, "check_config", "--deploy", "--json", env=env)

    report = json.loads(done.stdout)
    assert (done.returncode, report["checks"]) == (0, {"all": "ok"})
    assert {"name": "SECRET_KEY", "value": "***", "origin": "file", "verdict": "ok"} in report["variables"]


def test_the_documents_of_the_configuration_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "document-config"), "--check"],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_every_variable_has_a_meaning_in_the_documents() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").partition("## Variables")[2]

    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    assert {row[0].strip("|` ").removesuffix("` **secret**") for row in rows} >= {"PORT", "PRODUCTS_SERVICE_URL"}
    assert [row[0] for row in rows if not row[3].strip("| ")] == []
