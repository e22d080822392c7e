"""Fixtures of all whole-system tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from events.tests.rabbitmq import deselect_without_rabbitmq
from tests.processes import prepared

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores SIGINT in background processes. The services would inherit that and ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _leave_no_database_behind() -> Iterator[None]:
    with prepared:
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    deselect_without_rabbitmq(config, items)
