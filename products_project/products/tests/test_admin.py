"""Staff edit products in the admin."""

from __future__ import annotations

import re

import pytest

from ops.tests.clients import anonymous, customer, staff
from ops.tests.problem_shape import assert_problem
from products_project.products.models import Product
from products_project.products.services.catalogue import BUILT_IN, built_in_products, seed_products
from products_project.products.tests.reserving import path, release, reserve, set_stock, stock

pytestmark = pytest.mark.django_db

LIST = "/admin/products/product/"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_products(rows=built_in_products())


def post_form(path: str, **form: str):
    return staff().post(
        path, data="&".join(f"{k}={v}" for k, v in form.items()), content_type="application/x-www-form-urlencoded"
    )


@pytest.mark.parametrize("client", [anonymous, customer])
def test_others_are_sent_to_the_login(client) -> None:
    answer = client().get(LIST)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")


def test_the_list_shows_and_finds_products() -> None:
    client = staff()

    assert all(name in client.get(LIST).content.decode() for name in BUILT_IN.values())
    found = client.get(f"{LIST}?q=laptop").content.decode()
    assert "Quantum Laptop" in found
    assert "Neutrino Keyboard" not in found


def test_a_product_is_added() -> None:
    Product.objects.all().delete()

    assert post_form(f"{LIST}add/", name="Chair").status_code == 302
    assert Product.objects.get().name == "Chair"


def test_a_product_is_changed() -> None:
    assert post_form(f"{LIST}1/change/", name="Chair").status_code == 302
    assert Product.objects.get(pk=1).name == "Chair"


def test_a_product_is_deleted() -> None:
    assert post_form(f"{LIST}1/delete/", post="yes").status_code == 302
    assert not Product.objects.filter(pk=1).exists()


def test_a_bad_name_is_refused_in_the_form() -> None:
    answer = post_form(f"{LIST}1/change/", name="")

    assert answer.status_code == 200
    assert "This field is required." in answer.content.decode()


def test_the_stock_is_shown_and_changed() -> None:
    set_stock(5)

    assert '<td class="field-stock">5</td>' in staff().get(LIST).content.decode()
    assert post_form(f"{LIST}1/change/", **{"name": "Chair", "stock": "8", "initial-stock": "5"}).status_code == 302
    assert stock() == 8
    assert post_form(f"{LIST}1/change/", **{"name": "Chair", "stock": "", "initial-stock": "8"}).status_code == 302
    assert stock() is None
    assert post_form(f"{LIST}1/change/", **{"name": "Chair", "stock": "3", "initial-stock": ""}).status_code == 302
    assert stock() == 3


def test_a_product_is_added_with_its_stock() -> None:
    assert post_form(f"{LIST}add/", name="Chair", stock="4").status_code == 302
    assert Product.objects.get(name="Chair").stock == 4


def test_a_change_of_the_name_leaves_the_stock_to_those_who_hold_some_meanwhile() -> None:
    set_stock(5)
    page = staff().get(f"{LIST}1/change/").content.decode()
    assert '<input type="hidden" name="initial-stock" value="5"' in page
    reserve(7, quantity=2)

    answer = post_form(f"{LIST}1/change/", **{"name": "Chair", "stock": "5", "initial-stock": "5"})

    assert answer.status_code == 302
    assert (Product.objects.get(pk=1).name, stock()) == ("Chair", 3)


@pytest.mark.parametrize(("left", "said"), [(3, "it is 3"), (None, "it is not tracked")])
def test_a_new_stock_for_one_that_is_gone_is_refused_in_the_form(left: int | None, said: str) -> None:
    set_stock(left)

    answer = post_form(f"{LIST}1/change/", **{"name": "Chair", "stock": "10", "initial-stock": "5"})

    assert answer.status_code == 200
    assert f"It has changed since this page was loaded: {said}." in answer.content.decode()
    assert (Product.objects.get(pk=1).name, stock()) == ("Quantum Laptop", left)


@pytest.mark.parametrize("count", ["-1", "1.5", "x", "1000000001"])
def test_a_bad_stock_is_refused_in_the_form(count: str) -> None:
    answer = post_form(f"{LIST}1/change/", **{"name": "Chair", "stock": count, "initial-stock": ""})

    assert answer.status_code == 200
    assert 'class="errorlist"' in answer.content.decode()
    assert stock() is None


def test_reservations_are_shown_and_found_but_not_written() -> None:
    set_stock(5)
    reserve(7, quantity=2)
    release(8)
    client, reservations = staff(), "/admin/products/reservation/"

    assert client.get(reservations).content.decode().count('<td class="field-quantity">') == 2
    for query in (f"q={path(7).rpartition('/')[2]}", "q=1", "status__exact=held"):
        found = client.get(f"{reservations}?{query}").content.decode()
        assert found.count('<td class="field-quantity">2</td>') == 1, query
        assert found.count('<td class="field-quantity">') == 1, query
    assert client.get(f"{reservations}?q=garbage").status_code == 200
    one = f"{reservations}{path(7).rpartition('/')[2]}"
    assert client.get(f"{one}/change/").status_code == 200
    for page in (f"{reservations}add/", f"{one}/change/", f"{one}/delete/"):
        assert client.post(page, {}).status_code == 403


@pytest.mark.parametrize(
    "query",
    ["reservation/?q=%00", "reservation/?created_at__year=10000", "product/?name__regex=(", "product/?sale=%00"],
)
def test_a_filter_that_means_nothing_is_refused(query: str) -> None:
    assert_problem(staff().get(f"/admin/products/{query}"), 400, "bad_request")


def test_its_pages_are_styled_from_here() -> None:
    page = anonymous().get("/admin/login/").content.decode()

    styles = re.findall(r'<link[^>]+href="([^"]+\.css)"', page)
    assert styles
    for style in styles:
        answer = anonymous().get(style)
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content)  # type: ignore[attr-defined] # whitenoise sends a file


def test_the_admin_needs_its_slash() -> None:
    assert_problem(anonymous().get("/admin"), 404, "not_found")
