"""Settings of other programs in a person's shell reach neither make, nor the scripts, nor manage.py."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import requests

from tests.checkout import copy_checkout, link_environment, processes_in
from tests.orders_database import execute
from tests.processes import clean_environment, free_port

ARGOS = {  # variables of Argos, as another project uses the same names
    "DJANGO_ENV": "staging",
    "EVENTS_URL": "amqp://guest:guest@127.0.0.1:1//",
    "JAEGER_ENDPOINT": "collector:4317",
    "LOG_FORMAT": "pretty",
    "LOG_LEVEL": "LOUD",
    "PORT": "1",
    "PRODUCTS_SERVICE_URL": "http://127.0.0.1:1",
    "SECRET_KEY_FILE": "/nowhere/key",
    "SERVICE_TOKEN": "of a bot",
    "SERVICE_VERSION": "not a version!",
    "WEB_CONCURRENCY": "auto",
}
OTHERS = {  # variables of the libraries and tools
    "COVERAGE_PROCESS_START": "/nowhere/coveragerc",
    "GIT_DIR": "/nowhere",
    "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:1 --workers 3",
    "OTEL_PROPAGATORS": "b3",
    "OTEL_TRACES_EXPORTER": "console",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PIP_USER": "1",
    "PYTEST_ADDOPTS": "--collect-only",
    "PYTHONHOME": "/nowhere",
    "PYTHONSTARTUP": "/nowhere/startup.py",
    "PYTHONWARNINGS": "error",
}
EVERYWHERE = {  # manage.py meets these as well
    "DJANGO_SETTINGS_MODULE": "mysite.settings",
    "PROMETHEUS_MULTIPROC_DIR": "/nowhere/metrics",
}
CHOSEN = "def test_the_chosen_one() -> None:\n    assert {}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path / "argos")


@pytest.fixture
def another_project(tmp_path: Path) -> Path:
    """Make the database of another project, in a folder that VENV names, with modules of the same names as ours."""
    folder = tmp_path / "another"
    (folder / "scripts").mkdir(parents=True)
    for module in ("django", "ops", "orders_project"):
        (folder / f"{module}.py").write_text("raise RuntimeError('a module of another project')\n")
    database = sqlite3.connect(folder / "shop.sqlite3")
    database.execute("CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text, applied text)")
    database.execute("INSERT INTO django_migrations (app, name) VALUES ('cart', '0001_initial')")
    database.commit()
    database.close()
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hostile_environment(another_project: Path, **extra: str) -> dict[str, str]:
    own = {"DATABASE_URL": f"sqlite:///{another_project}/shop.sqlite3", "VENV": str(another_project)}
    own |= {"PYTHON": "python3.99", "PYTHONPATH": str(another_project), "CDPATH": str(another_project)}
    return clean_environment(ARGOS | OTHERS | EVERYWHERE | own | extra)


def test_make_run_starts_as_on_a_clean_machine_and_touches_nothing_else(checkout: Path, another_project: Path) -> None:
    link_environment(checkout)
    products, orders = str(free_port()), str(free_port())
    before = content(another_project)
    env = hostile_environment(another_project, PRODUCTS_PORT=products, ORDERS_PORT=orders)
    with subprocess.Popen(
        ["make", "run"], cwd=checkout, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            output = []
            for line in process.stdout:
                output.append(line)
                if "Ctrl-C stops all of them." in line:
                    break
            order = {"productId": 1, "quantity": 1}
            placed = requests.post(f"http://127.0.0.1:{orders}/orders", json=order, timeout=30)
        finally:
            process.terminate()
            rest, _ = process.communicate()
            sys.stdout.write("".join(output) + rest)
            for pid in processes_in(checkout):
                os.kill(pid, signal.SIGKILL)

    assert placed.status_code == 201
    assert content(another_project) == before


@pytest.mark.timeout(900)  # four suites, each with processes of its own
def test_every_suite_runs_and_then_the_run_fails(checkout: Path, another_project: Path) -> None:
    link_environment(checkout)
    for path in [*checkout.rglob("test_*.py")]:  # a selection, so that no time goes into collecting the rest
        path.unlink()
    for folder, passes in (("ops/tests", False), ("products_project/products/tests", True), ("tests", True)):
        (checkout / folder / "test_chosen.py").write_text(CHOSEN.format(passes))
    env = hostile_environment(another_project)
    env["PATH"] = f"{checkout}/.venv/bin:{env['PATH']}"

    done = subprocess.run(
        ["scripts/test", "-k", "the_chosen_one", "-n", "0"],
        cwd=checkout,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert done.stdout.endswith("== failed:\n  ops on SQLite\n"), output
    assert output.count("1 failed") == 2  # the second time alone
    assert output.count("1 passed") == 2


def test_manage_py_goes_on_under_the_projects_python_with_its_own_settings(
    checkout: Path, another_project: Path, tmp_path: Path
) -> None:
    link_environment(checkout)
    venv.create(tmp_path / "bare", symlinks=True)
    url = f"sqlite:///{another_project}/shop.sqlite3"

    done = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", checkout / "orders_project" / "manage.py", "migrate"],
        env=clean_environment(EVERYWHERE | {"DATABASE_URL": url}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    said = "DJANGO_SETTINGS_MODULE=mysite.settings is not used: this process has orders_project.settings."
    assert said in done.stderr.splitlines()
    assert "holds the migrations of cart: it belongs to another service or project." in done.stderr
    assert execute(url, "SELECT name FROM sqlite_master") == [("django_migrations",)]


def test_manage_py_without_any_environment_names_the_command_that_makes_one(checkout: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"

    done = subprocess.run(
        [python, checkout / "products_project" / "manage.py", "doctor"],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{python} has no Django. `make run` installs it into .venv, which manage.py then uses.\n"
