"""Staff search and filter orders in the admin, read-only."""

from __future__ import annotations

import pytest

from ops.tests.clients import anonymous, customer, staff
from ops.tests.problem_shape import assert_problem
from orders_project.orders.models import Order
from orders_project.orders.tests.stored_orders import store_unsettled

pytestmark = pytest.mark.django_db

LIST = "/admin/orders/order/"


@pytest.fixture
def orders() -> list[Order]:
    return [Order.objects.create(product_id=number, quantity=5, status="confirmed") for number in (111, 222)]


def shown(query: str = "") -> list[int]:
    page = staff().get(f"{LIST}{query}")
    assert page.status_code == 200, page.headers
    return [order.pk for order in page.context["cl"].result_list]


@pytest.mark.parametrize("client", [anonymous, customer])
def test_others_are_sent_to_the_login(client) -> None:
    assert client().get(LIST).headers["Location"].startswith("/admin/login/")


def test_the_newest_order_comes_first(orders: list[Order]) -> None:
    assert shown() == [orders[1].pk, orders[0].pk]


def test_orders_are_found_by_their_product_and_their_id(orders: list[Order]) -> None:
    assert shown("?q=111") == [orders[0].pk]
    assert orders[1].pk in shown(f"?q={orders[1].pk}")
    assert shown("?q=9999999") == []
    assert shown("?q=text") == []


def test_orders_are_filtered_by_status_and_day(orders: list[Order]) -> None:
    day = orders[0].created_at
    assert len(shown("?status__exact=confirmed")) == 2
    assert len(shown(f"?created_at__year={day.year}&created_at__month={day.month}&created_at__day={day.day}")) == 2
    assert shown("?created_at__year=1999") == []
    pending, rejected = store_unsettled()
    assert shown("?status__exact=pending") == [pending.pk]
    assert shown("?status__exact=rejected") == [rejected.pk]


def test_the_name_that_the_product_had_is_listed_and_found() -> None:
    Order.objects.create(product_id=7, product_name="Gluon Glue", quantity=1)

    page = staff().get(LIST).content.decode()

    assert "Gluon Glue" in page
    assert "| Orders administration</title>" in page
    assert len(shown("?q=glue")) == 1


def test_an_order_is_shown_without_a_form(orders: list[Order]) -> None:
    page = staff().get(f"{LIST}{orders[0].pk}/change/")

    assert page.status_code == 200
    assert "111" in page.content.decode()
    assert 'name="_save"' not in page.content.decode()


@pytest.mark.parametrize("path", ["add/", "{}/change/", "{}/delete/"])
def test_nothing_is_added_changed_or_deleted(orders: list[Order], path: str) -> None:
    form = "product_id=3&quantity=3&status=confirmed&post=yes"

    answer = staff().post(LIST + path.format(orders[0].pk), data=form, content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 403
    assert list(Order.objects.order_by("pk").values_list("product_id", "quantity")) == [(111, 5), (222, 5)]


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "product_name__gt=%00",
        "product_name__regex=(",
        "created_at__year=9999",
        "created_at__year=9999&created_at__month=12&created_at__day=31",
        "created_at__year=2026&created_at__month=13",
        "created_at__gte=9999-99-99",
        "status__exact=%00",
    ],
)
def test_a_filter_that_means_nothing_is_refused(orders: list[Order], query: str) -> None:
    assert_problem(staff().get(f"{LIST}?{query}"), 400, "bad_request")


@pytest.mark.parametrize("query", ["q=(", "created_at__year=9998", "created_at__year=1", "q=" + "9" * 30])
def test_a_filter_that_fits_no_order_shows_an_empty_list(orders: list[Order], query: str) -> None:
    assert shown(f"?{query}") == []
