"""One stack of each kind for all of these tests, as starting one takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # the library has no types

from tests.observability.eventful_stack import EventfulStack, eventful_stack
from tests.observability.watched_stack import WatchedStack, watched_stack

OF_WATCHED = ("test_alerts.py", "test_backlog_alerts.py", "test_prometheus.py", "test_runbooks.py")
OF_EVENTFUL = ("test_panels.py", "test_queries.py", "test_telemetry_reference.py", "test_walk.py")


class ByStack(LoadScopeScheduling):  # type: ignore[misc] # likewise
    """Run all tests of a stack in one process, so that none starts both; other files go to any free process."""

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.split("::", maxsplit=1)[0].rsplit("/", maxsplit=1)[-1]
        return "watched" if name in OF_WATCHED else "eventful" if name in OF_EVENTFUL else name


@pytest.hookimpl(optionalhook=True)  # scheduling applies only to several processes
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByStack:
    return ByStack(config, log)


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedStack]:
    """Yield the stack whose parts a test may break."""
    with watched_stack(tmp_path_factory.mktemp("watched")) as stack:
        yield stack


@pytest.fixture(scope="session")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventfulStack]:
    """Yield the stack after every event has happened."""
    with eventful_stack(tmp_path_factory.mktemp("eventful")) as found:
        yield found
