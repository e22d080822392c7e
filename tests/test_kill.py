"""`kill -9` of either service under load does not lose an acknowledged order."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load import Load, load
from tests.processes import Service, Stack, manage, running_stack

ORDER = b'{"productId": 1, "quantity": 2}'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack"), WEB_CONCURRENCY="2") as running:
        yield running


def acknowledged(clients: Load) -> set[int]:
    return {json.loads(request.body)["id"] for request in clients.ended("answered") if request.status == 201}


def stored(orders: Service) -> set[int]:
    """Return the ids in the database, read without the service."""
    code = "from orders_project.orders.models import Order; print(*Order.objects.values_list('pk', flat=True))"
    done = manage("orders_project", "shell", "--no-imports", "--command", code, env=orders.env)
    assert done.returncode == 0, done.stderr
    return {int(word) for word in done.stdout.split()}


@pytest.mark.parametrize("victim", ["orders", "products"])
def test_a_killed_service_loses_no_acknowledged_order(stack: Stack, victim: str) -> None:
    service: Service = getattr(stack, victim)
    with load(stack.orders.port, "POST", "/orders", ORDER) as clients:
        clients.wait_for(60)
        service.kill()
        time.sleep(0.3)
        service.start()
        count = len(acknowledged(clients))
        deadline = time.monotonic() + 90
        while len(acknowledged(clients)) < count + 20:  # the breaker has closed
            assert time.monotonic() < deadline, clients.requests[-3:]
            time.sleep(0.05)

    assert len(acknowledged(clients)) >= 80
    assert acknowledged(clients) <= stored(stack.orders)


def test_a_service_whose_master_alone_was_killed_starts_again_on_its_port(stack: Stack) -> None:
    orders = stack.orders
    assert orders.process is not None
    with load(orders.port, "POST", "/orders", ORDER, clients=2) as clients:
        clients.wait_for(10)
        os.kill(orders.process.pid, signal.SIGKILL)
        orders.process.wait(5)
        orders.start()

    assert acknowledged(clients) <= stored(orders)
    assert stack.place_order().status_code == 201


def test_a_worker_that_works_or_has_nothing_to_do_is_not_taken_for_dead(tmp_path: Path) -> None:
    patience = 5  # seconds without a heartbeat until gunicorn's master kills a worker; 30 by default
    with running_stack(tmp_path, GUNICORN_CMD_ARGS=f"--timeout {patience}") as running:
        started = running.products.metric("process_start_time_seconds")
        time.sleep(patience + 1)
        with load(running.products.port, "GET", "/products/1") as clients:
            time.sleep(patience + 1)

        assert len(clients.ended("answered")) == len(clients.requests) > 0
        assert running.products.metric("process_start_time_seconds") == started > 0
