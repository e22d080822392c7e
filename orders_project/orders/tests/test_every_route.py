"""No request to a path of orders is a fault of the server's: any method, body and Accept."""

from __future__ import annotations

import pytest

from ops.tests.every_route import METHODS, differences, failures, paths

pytestmark = pytest.mark.django_db


def test_its_own_paths_are_among_them() -> None:
    assert {"/orders", "/orders/1", "/docs", "/admin/orders/order/add/"} <= set(paths())


@pytest.mark.parametrize("method", METHODS)
def test_no_route_answers_with_a_5xx(method: str) -> None:
    assert failures(method) == []


@pytest.mark.parametrize("method", METHODS)
def test_clients_with_and_without_cookies_get_the_same_answers(method: str) -> None:
    assert differences(method) == []
