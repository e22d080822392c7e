"""No client can hold a thread: the silent, the slow and those that never read cost the others nothing."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Iterator

import pytest
import requests

from ops.tests.tolerance import tolerance
from tests.processes import Service, running_stack
from tests.slow_clients import slow_clients

SILENT, SLOW, DEAF = 5_000, 500, 200
ANSWERS = 300
LARGE = b"/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"  # more than any socket takes at once


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # this process holds the other ends
    with running_stack(tmp_path_factory.mktemp("slow")) as stack:
        yield stack.products
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def answer_times(service: Service) -> list[float]:
    """Return how long each answer to a client took that keeps its connection."""
    times = []
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(ANSWERS):
            started = time.monotonic()
            assert session.get(f"{service.url}/products/1", timeout=30).status_code == 200
            times.append(time.monotonic() - started)
    return times


def wait_until_settled(service: Service, within: float = 60.0) -> None:
    """Wait until the requests of the clients that never read are answered as far as their sockets take it."""
    deadline = time.monotonic() + within
    while service.metric("web_connections") < SILENT or service.metric("web_queue_length"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_thousands_of_clients_that_hold_connections_keep_no_other_client_waiting(products: Service) -> None:
    answer_times(products)
    alone = answer_times(products)

    with slow_clients(products.port, silent=SILENT, slow=SLOW, deaf=DEAF, deaf_path=LARGE):
        wait_until_settled(products)
        beside = answer_times(products)
        open_connections = products.metric("web_connections")
        threads = products.metric("web_threads")

    assert open_connections > SILENT
    assert threads == 4
    # The machine may be busy with other tests; eight held threads were a wait of seconds.
    assert statistics.median(beside) < tolerance(4 * statistics.median(alone) + 0.005)
    assert max(beside) < tolerance(1.0)
