"""Clients order and read with tokens that the services issue themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from ops.tests.problem_shape import check_problem
from tests.processes import Service, Stack, manage, running_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Both services, closed to clients without a token."""
    with running_stack(tmp_path_factory.mktemp("identity"), ORDERS_ANONYMOUS="false") as running:
        yield running


def done(service: Service, *arguments: str) -> str:
    """Run a command of the service, and return its output."""
    result = manage(service.project, *arguments, env=service.env)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    """Return a token of the client `shop`, made as an operator does."""
    done(stack.orders, "rotate_keys")
    done(stack.orders, "create_client", "shop", "--scope", "orders:write", "orders:read:own")
    return done(stack.orders, "issue_token", "shop")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_client_orders_with_its_token_and_is_refused_without(stack: Stack, token: str) -> None:
    refused = stack.place_order()
    placed = stack.place_order(headers=bearer(token))

    check_problem(refused.content, refused.headers["Content-Type"], 401, "not_authenticated")
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="orders-service"'
    assert placed.status_code == 201
    assert requests.get(placed.headers["Location"], headers=bearer(token), timeout=30).json() == placed.json()


def test_the_token_is_printed_and_not_logged(stack: Stack, token: str) -> None:
    issued = manage("orders_project", "issue_token", "shop", env=stack.orders.env | {"LOG_LEVEL": "debug"})

    assert "command.finished" in issued.stderr
    assert issued.stdout.strip().split(".")[0] == token.split(".", maxsplit=1)[0]  # of the same key
    assert token.split(".", maxsplit=1)[0] not in issued.stderr


def test_the_token_of_one_service_opens_nothing_of_the_other(stack: Stack, token: str) -> None:
    answer = requests.get(f"{stack.products.url}/products/1", headers=bearer(token), timeout=30)

    check_problem(answer.content, answer.headers["Content-Type"], 401, "invalid_token")


def test_staff_of_the_catalogue_can_be_a_client(stack: Stack) -> None:
    done(stack.products, "rotate_keys")
    done(stack.products, "create_client", "importer", "--scope", "products:write")
    headers = bearer(done(stack.products, "issue_token", "importer"))

    made = requests.post(f"{stack.products.url}/products", json={"name": "Lamp"}, headers=headers, timeout=30)

    assert made.status_code == 201
    assert requests.delete(made.headers["Location"], headers=headers, timeout=30).status_code == 204


def test_two_rotations_at_once_make_one_key_or_say_that_the_other_runs(stack: Stack) -> None:
    with ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(lambda _: manage("products_project", "rotate_keys", "--json", env=stack.products.env), "ab")
        )

    assert {run.returncode for run in runs} <= {0, 3}
    created = [json.loads(run.stdout)["counts"]["created"] for run in runs if run.returncode == 0]
    assert sum(created) <= 1


def test_smoke_orders_with_the_token_of_a_file(stack: Stack, token: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    options = ("smoke", "--products", stack.products.url, "--orders", stack.orders.url)

    without = manage("orders_project", *options, env=stack.orders.env)
    smoke = manage("orders_project", *options, "--token-file", str(file), env=stack.orders.env)

    assert (without.returncode, smoke.returncode) == (1, 0), smoke.stdout + smoke.stderr
    assert token not in smoke.stdout + smoke.stderr
