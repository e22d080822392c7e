from __future__ import annotations

import pytest

from events.tests import sold
from events.tests.rabbitmq import deselect_without_rabbitmq, rabbitmq

__all__ = ["rabbitmq"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    deselect_without_rabbitmq(config, items)


@pytest.fixture(autouse=True)
def _nothing_is_sold() -> None:
    sold.orders.clear()
