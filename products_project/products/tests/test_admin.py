"""Staff edit products in the admin."""

from __future__ import annotations

import re

import pytest

from ops.tests.clients import anonymous, customer, staff
from ops.tests.problem_shape import assert_problem
from products_project.products.models import Product
from products_project.products.services import BUILT_IN, built_in_products, seed_products

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
