"""Descriptors, threads and memory stay what they are, whatever clients send, and however they leave."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.load import load
from tests.processes import Service, running_stack
from tests.raw_http import post, request

MEGABYTE = 1024 * 1024
GROWTH = 6 * MEGABYTE
ABORTED = 1_500
LARGE = b"/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_stack(tmp_path_factory.mktemp("steady")) as stack:
        yield stack.products


def abort(port: int, chance: random.Random) -> None:
    """Send a part of a request, or all of it, and reset the connection."""
    raw = chance.choice([request(b"GET", b"/products/1"), post(b"{}" * 50, path=b"/products"), request(b"GET", LARGE)])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(raw[: chance.randint(0, len(raw))])
        if chance.random() < 0.3:
            connection.settimeout(0.01)
            with suppress(TimeoutError):
                connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def state(service: Service) -> tuple[float, int, float]:
    """Return open descriptors, threads and memory of the worker."""
    assert service.process is not None
    pid = service.process.pid
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    threads = len(list(Path(f"/proc/{worker}/task").iterdir()))
    descriptors = service.metric("process_open_fds")
    return descriptors, threads, service.metric("process_resident_memory_bytes")


def test_neither_answered_nor_aborted_requests_leave_anything_behind(products: Service) -> None:
    chance = random.Random(5)

    def strain(answered: int, aborted: int) -> None:
        for _ in range(aborted):
            abort(products.port, chance)
        with load(products.port, "GET", "/products/1", clients=4) as clients:
            clients.wait_for(answered)
        while products.metric("web_connections") > 1:  # the one that asks
            pass

    strain(1_000, ABORTED // 2)
    before = state(products)
    strain(1_000, ABORTED)
    after = state(products)

    assert after[0] <= before[0] + 2  # the database's files, and a moment's connection
    assert after[1] <= before[1]
    assert after[2] - before[2] < GROWTH
