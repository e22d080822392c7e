"""One stack of each kind for all of these tests: to start one takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.observability.eventful_stack import EventfulStack, eventful_stack
from tests.observability.watched_stack import WatchedStack, watched_stack

STACKS = ("watched", "eventful")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a stack together: of several processes, each then starts one stack and not both."""
    for item in items:
        for stack in STACKS:
            if stack in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.xdist_group(stack))


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedStack]:
    """Yield the stack whose parts a test may break."""
    with watched_stack(tmp_path_factory.mktemp("watched")) as stack:
        yield stack


@pytest.fixture(scope="session")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventfulStack]:
    """Yield the stack to which everything has happened already."""
    with eventful_stack(tmp_path_factory.mktemp("eventful")) as found:
        yield found
