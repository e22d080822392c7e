"""The stack of the compose files and the Dockerfiles, run as local processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from ops.tests.service_tokens import key_pair
from tests.compose_host import PROJECTS, Collector, Host, host
from tests.containers import Dockerfile, compose, container_environment, run
from tests.processes import ROOT

BASE = "docker-compose.yml"
PRODUCTION = "docker-compose.prod.yml"


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The content of each image's /app without static files."""
    return {
        service: Dockerfile(project).unpack(tmp_path_factory.mktemp(f"{service}-app"))
        for service, project in PROJECTS.items()
    }


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    server = Collector()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def stack(apps: dict[str, Path], collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Our services of the development stack, started in the order of their conditions."""
    with host(apps, collector, tmp_path_factory.mktemp("stack"), BASE) as here:
        for name in here.services:
            here.bring_up(name)
        for name in here.processes:
            here.wait_until_healthy(name)
        yield here


def test_an_order_placed_in_the_stack_is_acknowledged(stack: Host) -> None:
    answer = requests.post(f"{stack.url('orders-service')}/orders", json={"productId": 2, "quantity": 1}, timeout=30)

    assert answer.status_code == 201, answer.text


def test_the_stack_passes_its_own_smoke_test(stack: Host) -> None:
    command = stack.services["smoke"]["command"]
    here = [
        word for word in command if not word.startswith(("--prometheus=", "--jaeger="))
    ]  # these servers are missing here

    done = stack.run("smoke", here)

    assert len(here) == len(command) - 2
    assert done.returncode == 0, done.stderr
    assert "promises were kept" in done.stdout


def test_the_load_of_the_profile_demo_is_answered(stack: Host, tmp_path: Path) -> None:
    demo = compose(BASE, variables={"DEMO_SECONDS": "2"})["services"]["demo"]
    source, folder, _ = demo["volumes"][0].split(":")
    (tmp_path / Path(folder).relative_to("/app")).symlink_to(ROOT / source)
    doors = {f"--{name}=http://gateway:8080": f"--{name}={stack.url(f'{name}-service')}" for name in PROJECTS}

    done = run([doors.get(word, word) for word in demo["command"]], app=tmp_path, env=container_environment())

    assert done.returncode == 0, done.stderr
    assert "Sent 40 requests: " in done.stdout
    assert " x 201" in done.stdout


@pytest.mark.parametrize("name", ["products-service", "orders-service"])
def test_a_service_answers_to_its_name_in_the_stack(stack: Host, name: str) -> None:
    answer = requests.get(f"{stack.url(name)}/openapi.json", headers={"Host": f"{name}:3001"}, timeout=30)

    assert answer.status_code == 200, answer.text


def test_traces_go_where_the_stack_says(stack: Host, collector: Collector) -> None:
    requests.get(f"{stack.url('products-service')}/products/1", timeout=30)

    deadline = time.monotonic() + 60
    while "/v1/traces" not in collector.paths and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "/v1/traces" in collector.paths


def test_the_images_hold_production_code_of_one_service_only(apps: dict[str, Path]) -> None:
    for service, app in apps.items():
        held = {path.relative_to(app) for path in app.rglob("*") if path.is_file()}

        assert {path.parts[0] for path in held} == {"events", "ops", PROJECTS[service]}
        assert not [
            path for path in held if "tests" in path.parts or path.suffix not in (".py", ".html", ".css", ".plain", "")
        ]


def test_a_service_that_does_not_answer_is_not_healthy(
    apps: dict[str, Path], collector: Collector, tmp_path: Path
) -> None:
    with host(apps, collector, tmp_path, BASE) as here:
        assert not here.is_healthy("orders-service")


def with_password(url: str) -> str:
    """Return the database's URL with a password; a server that trusts its clients ignores it."""
    parts = urlsplit(url)
    if not parts.hostname or parts.password:
        return url
    return parts._replace(netloc=f"{parts.username}:0123456789abcdef@{parts.netloc.rpartition('@')[2]}").geturl()


def test_production_serves_with_secrets_from_files_and_stops_cleanly(collector: Collector, tmp_path: Path) -> None:
    image = Dockerfile("products_project")
    apps = {"products": image.unpack(tmp_path / "app")}
    collect = image.static_files_command().replace("/opt/venv/bin/python", "python")
    collected = run(["sh", "-c", collect], app=apps["products"], env=container_environment())
    assert collected.returncode == 0, collected.stderr

    with host(apps, collector, tmp_path, BASE, PRODUCTION) as here:
        here.give_secrets(
            "products-migrate",
            SECRET_KEY="0123456789abcdefghijklmnopqrstuvwxyz",
            **key_pair("products-service"),
            EVENTS_URL="amqp://argos:0123456789abcdef@127.0.0.1:1/",
            DATABASE_URL=with_password(here.databases["products"]),
        )
        environment = here.services["products-migrate"]["environment"]
        here.services["products-service"]["environment"] = environment
        migrated = here.run("products-migrate")
        here.start("products-service")
        here.wait_until_healthy("products-service")

        ready = requests.get(f"{here.url('products-service')}/readyz", timeout=30)
        page = requests.get(f"{here.url('products-service')}/docs", timeout=30).text
        script = next(part for part in page.split('"') if "swagger-ui-bundle" in part)
        answer = requests.get(f"{here.url('products-service')}{script}", timeout=30)
        process = here.processes["products-service"]
        process.terminate()
        grace = here.services["products-service"]["stop_grace_period"]

        assert migrated.returncode == 0, migrated.stderr
        assert ready.status_code == 200, ready.text
        assert answer.headers["Cache-Control"] == "max-age=315360000, public, immutable", script
        assert process.wait(int(grace.removesuffix("s"))) == 0


def test_production_does_not_start_without_its_secrets(
    apps: dict[str, Path], collector: Collector, tmp_path: Path
) -> None:
    with host(apps, collector, tmp_path, BASE, PRODUCTION) as here:
        done = here.run("orders-service", Dockerfile("orders_project").command())

    assert done.returncode != 0
    assert "SECRET_KEY_FILE=/run/secrets/orders_secret_key cannot be read" in done.stderr
    assert "SERVICE_KEY_FILE=/run/secrets/orders_service_key cannot be read" in done.stderr
    assert "SERVICE_KEYS_FILE=/run/secrets/service_keys cannot be read" in done.stderr
    assert "DATABASE_URL_FILE=/run/secrets/orders_database_url cannot be read" in done.stderr
