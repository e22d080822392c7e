"""One watched stack for all files of a run that look at it: it takes half of their time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.observability.eventful_stack import Watched, eventful_stack


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with eventful_stack(tmp_path_factory.mktemp("watched")) as found:
        yield found
