"""Fixtures of the tests of faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.postgresql import Cluster, running_cluster
from tests.processes import prepared


@pytest.fixture(scope="session", autouse=True)
def _leave_no_database_behind() -> Iterator[None]:
    with prepared:
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server that tests may crash; they restart it."""
    with running_cluster() as running:
        yield running
