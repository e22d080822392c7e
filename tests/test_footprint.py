"""The memory of a service does not grow with its number of requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.load import load
from tests.processes import Service, Stack, manage, running_stack

MEGABYTE = 1024 * 1024
MEMORY = 110 * MEGABYTE
GROWTH = 6 * MEGABYTE
ORDER = b'{"productId": 1, "quantity": 2}'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [("products", "GET", "/products/1", None), ("orders", "POST", "/orders", ORDER)],
)
def test_memory_is_bounded_and_does_not_grow(
    stack: Stack, name: str, method: str, path: str, body: bytes | None
) -> None:
    service: Service = getattr(stack, name)

    def memory_after(requests: int) -> float:
        with load(service.port, method, path, body, clients=4) as clients:
            clients.wait_for(requests, within=60)
        assert {request.status for request in clients.ended("answered")} <= {200, 201}
        return service.metric("process_resident_memory_bytes")

    before = memory_after(1_000)
    after = memory_after(1_500)

    assert service.metric("python_gc_collections_total", generation="0") > 0
    assert after < MEMORY
    assert after - before < GROWTH


def test_a_command_looks_for_garbage_among_what_it_makes_itself() -> None:
    done = manage(
        "orders_project",
        "shell",
        "--verbosity=0",
        "-c",
        "import gc; print(gc.isenabled(), gc.get_freeze_count())",
        env={},
    )

    is_enabled, frozen = done.stdout.split()
    assert is_enabled == "True"
    assert int(frozen) > 100_000
