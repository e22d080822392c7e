"""SECRET_KEY and the keys of access tokens are replaced under load, and no request is refused."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.orders_database import execute
from tests.processes import SECRET_KEY, Service, manage, running_stack, stop_all
from tests.staff import staff_session

NEXT_KEY = "another-key-for-tests-9876543210-jihgfedcba"
ORDER = {"productId": 1, "quantity": 1}
SIGNS_AFTER = 91  # seconds; rotate_keys --help says 90
FEWEST = 10  # answers between two steps
PAUSE = 0.02  # seconds of a client between two requests; without one, the clients take the processor from the replicas
MAKE_OLDER = {
    "sqlite": "UPDATE identity_signingkey SET created_at = strftime('%Y-%m-%d %H:%M:%f', created_at, '-{} seconds')",
    "postgres": "UPDATE identity_signingkey SET created_at = created_at - interval '{} seconds'",
}


@dataclass
class Replicas:
    """Two replicas of orders, and clients that use those in service, as a gateway would."""

    services: list[Service]
    token: str
    answers: list[int] = field(default_factory=list)
    in_service: list[Service] = field(default_factory=list)
    in_flight: dict[int, int] = field(default_factory=dict)  # requests of each port
    lock: threading.Condition = field(default_factory=threading.Condition)
    stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def one(self, number: int) -> Iterator[str]:
        """Yield the URL of a replica that stays in service meanwhile."""
        with self.lock:
            service = self.in_service[number % len(self.in_service)]
            self.in_flight[service.port] = self.in_flight.get(service.port, 0) + 1
        try:
            yield service.url
        finally:
            with self.lock:
                self.in_flight[service.port] -= 1
                self.lock.notify_all()

    def send(self, request: Callable[[str], requests.Response]) -> None:
        """Send one request after another to alternating replicas."""
        for number in itertools.count():
            if self.stopping.wait(PAUSE):
                return
            with self.one(number) as url:
                self.answers.append(request(url).status_code)

    def wait_for_more(self) -> None:
        """Wait until clients have got some more answers."""
        wanted, deadline = len(self.answers) + FEWEST, time.monotonic() + 90
        while len(self.answers) < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def replace_all(self, **env: str) -> None:
        """Start each replica anew with these variables, one after the other: drain, stop, start, join."""
        for service in self.services:
            with self.lock:
                self.in_service.remove(service)
                while self.in_flight.get(service.port):
                    assert self.lock.wait(60)
            service.stop()
            service.env |= env
            service.start()
            with self.lock:
                self.in_service.append(service)
            self.wait_for_more()


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
        yield Replicas([orders, second], issue(orders), in_service=[orders, second])


def test_every_key_is_replaced_under_load_and_no_request_is_refused(replicas: Replicas) -> None:
    first, second = replicas.services
    staff = staff_session(first)

    def order(url: str) -> requests.Response:
        return requests.post(f"{url}/orders", json=ORDER, headers=bearer(replicas.token), timeout=30)

    def read(url: str) -> requests.Response:
        return staff.get(f"{url}/orders", params={"page_size": 1}, timeout=30)

    clients = [threading.Thread(target=replicas.send, args=(request,)) for request in (order, read)]
    for client in clients:
        client.start()
    try:
        replicas.wait_for_more()
        rotate_token_keys(replicas)
        replicas.wait_for_more()
        replicas.replace_all(SECRET_KEY_FALLBACKS=NEXT_KEY)
        replicas.replace_all(SECRET_KEY=NEXT_KEY, SECRET_KEY_FALLBACKS=SECRET_KEY)
        before = key_of(replicas.token)
        rotate_token_keys(replicas)  # sealed under the next key
        replicas.replace_all(SECRET_KEY_FALLBACKS="")
    finally:
        replicas.stopping.set()
        for client in clients:
            client.join(60)

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
