"""One watched stack for all of these tests: it takes longer to start than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.observability.watched_stack import WatchedStack, watched_stack


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedStack]:
    with watched_stack(tmp_path_factory.mktemp("watched")) as stack:
        yield stack
