"""SECRET_KEY and the keys of access tokens are replaced under load, and no request is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.orders_database import execute
from tests.processes import SECRET_KEY, Service, manage, running_stack, stop_all
from tests.replicas import Replicas
from tests.staff import staff_session

NEXT_KEY = "another-key-for-tests-9876543210-jihgfedcba"
ORDER = {"productId": 1, "quantity": 1}
SIGNS_AFTER = 91  # seconds; rotate_keys --help says 90
MAKE_OLDER = {
    "sqlite": "UPDATE identity_signingkey SET created_at = strftime('%Y-%m-%d %H:%M:%f', created_at, '-{} seconds')",
    "postgres": "UPDATE identity_signingkey SET created_at = created_at - interval '{} seconds'",
}


def issue(service: Service) -> str:
    done = manage("orders_project", "issue_token", "shop", env=service.env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    with ExitStack() as stack:
        orders = stack.enter_context(running_stack(tmp_path, ORDERS_ANONYMOUS="false", SECRET_KEY=SECRET_KEY)).orders
        second = Service("orders_project", tmp_path, dict(orders.env)).start()
        stack.callback(stop_all, second)
        manage("orders_project", "rotate_keys", env=orders.env).check_returncode()
        scopes = ("orders:write", "orders:read:own")
        manage("orders_project", "create_client", "shop", "--scope", *scopes, env=orders.env).check_returncode()
        yield Replicas([orders, second], issue(orders))


def test_every_key_is_replaced_under_load_and_no_request_is_refused(replicas: Replicas) -> None:
    first, second = replicas.services
    staff = staff_session(first)

    def order(url: str) -> requests.Response:
        return requests.post(f"{url}/orders", json=ORDER, headers=bearer(replicas.token), timeout=30)

    def read(url: str) -> requests.Response:
        return staff.get(f"{url}/orders", params={"page_size": 1}, timeout=30)

    with replicas.clients(order, read):
        replicas.wait_for_more()
        rotate_token_keys(replicas)
        replicas.wait_for_more()
        replicas.replace_all(SECRET_KEY_FALLBACKS=NEXT_KEY)
        replicas.replace_all(SECRET_KEY=NEXT_KEY, SECRET_KEY_FALLBACKS=SECRET_KEY)
        before = key_of(replicas.token)
        rotate_token_keys(replicas)  # sealed under the next key
        replicas.replace_all(SECRET_KEY_FALLBACKS="")

    assert set(replicas.answers) == {200, 201}
    assert key_of(replicas.token) != before
    assert key_of(issue(second)) == key_of(replicas.token)


def rotate_token_keys(replicas: Replicas) -> None:
    """Make a new key, wait until both replicas know it, and give the client a token of it."""
    first = replicas.services[0]
    make_keys_older(first)
    manage("orders_project", "rotate_keys", env=first.env).check_returncode()
    make_keys_older(first)
    token, deadline = issue(first), time.monotonic() + 60
    assert key_of(token) != key_of(replicas.token)
    for service in replicas.services:
        while requests.get(f"{service.url}/orders", headers=bearer(token), timeout=30).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    replicas.token = token


def make_keys_older(service: Service) -> None:
    """Let the time pass after which a new key signs."""
    url = service.env["DATABASE_URL"]
    execute(url, MAKE_OLDER[url.partition(":")[0]].format(SIGNS_AFTER))


def key_of(token: str) -> str:
    return token.split(".", maxsplit=1)[0]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
