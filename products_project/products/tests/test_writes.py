"""Only staff write products."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ops.tests.clients import BROWSER, anonymous, customer, staff
from ops.tests.problem_shape import assert_problem
from products_project.products.models import Product
from products_project.products.seeding.rows import Row
from products_project.products.services.catalogue import BUILT_IN, built_in_products, seed_products

pytestmark = pytest.mark.django_db

WRITES = [("POST", "/products"), ("PUT", "/products/1"), ("PATCH", "/products/1"), ("DELETE", "/products/1")]
CHANGES = [("POST", "/products"), ("PUT", "/products/1"), ("PATCH", "/products/1")]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_products(rows=built_in_products())


def names() -> dict[int, str]:
    return dict(Product.objects.values_list("pk", "name"))


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_nobody_in_particular_writes(method: str, path: str) -> None:
    answer = anonymous().generic(method, path, '{"name": "Chair"}', content_type="application/json")

    assert_problem(answer, 401, "not_authenticated")
    assert names() == BUILT_IN


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_user_who_is_no_staff_does_not_write(method: str, path: str) -> None:
    answer = customer().generic(method, path, '{"name": "Chair"}', content_type="application/json")

    assert_problem(answer, 403, "permission_denied")
    assert names() == BUILT_IN


def test_staff_without_the_csrf_token_of_their_session_do_not_write() -> None:
    client = staff()
    client.handler.enforce_csrf_checks = True

    answer = client.put("/products/1", {"name": "Chair"})

    assert_problem(answer, 403, "csrf_failed")
    assert names() == BUILT_IN


def test_staff_create_a_product() -> None:
    Product.objects.all().delete()

    answer = staff().post("/products", {"name": " Chair "})

    assert answer.status_code == 201
    created = Product.objects.get()
    assert answer.json() == {"id": created.pk, "name": "Chair"}
    assert answer.headers["Location"] == f"http://testserver/products/{created.pk}"


def test_a_created_product_does_not_collide_with_a_seeded_one() -> None:
    seed_products(rows=[Row(1, 5_000_000, "Chair")])

    answer = staff().post("/products", {"name": "Table"})

    assert (answer.status_code, answer.json()["id"]) == (201, 5_000_001)


@pytest.mark.parametrize("method", ["put", "patch"])
def test_staff_change_a_product(method: str) -> None:
    answer = getattr(staff(), method)("/products/1", {"name": "Chair"})

    assert (answer.status_code, answer.json()) == (200, {"id": 1, "name": "Chair"})
    assert names() == BUILT_IN | {1: "Chair"}


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_of_the_name_never_writes_the_stock(method: str) -> None:
    client = staff()
    with CaptureQueriesContext(connection) as queries:
        getattr(client, method)("/products/1", {"name": "Chair"})

    writes = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
    assert len(writes) == 1
    assert "stock" not in writes[0]


def test_staff_may_patch_nothing() -> None:
    answer = staff().patch("/products/1", {})

    assert (answer.status_code, answer.json()) == (200, {"id": 1, "name": BUILT_IN[1]})


def test_staff_delete_a_product() -> None:
    answer = staff().delete("/products/1")

    assert (answer.status_code, answer.content) == (204, b"")
    assert names() == {2: BUILT_IN[2]}


def test_the_id_is_not_the_clients_to_choose() -> None:
    answer = staff().put("/products/1", {"id": 99, "name": "Chair"})

    assert answer.json() == {"id": 1, "name": "Chair"}


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(("member", "said"), [("nmae", "name may be meant"), ("stock", "it takes id, name")])
def test_an_unknown_member_is_refused_by_name(method: str, path: str, member: str, said: str) -> None:
    answer = getattr(staff(), method.lower())(path, {"name": "Chair", member: 5})

    problem = assert_problem(answer, 400, "validation_error", fields=[member])
    assert said in problem["errors"][0]["detail"]
    assert names() == BUILT_IN


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 201, 5, 1.5, True, None, ["Chair"], {"en": "Chair"}])
@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_a_bad_name_is_refused_by_name(method: str, path: str, name: Any) -> None:
    answer = getattr(staff(), method.lower())(path, {"name": name})

    assert_problem(answer, 400, "validation_error", fields=["name"])
    assert names() == BUILT_IN


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_a_lone_surrogate_is_refused_by_name(method: str, path: str) -> None:
    answer = staff().generic(method, path, '{"name": "\\ud800"}', content_type="application/json")

    assert_problem(answer, 400, "validation_error", fields=["name"])


@pytest.mark.parametrize("name", ["x" * 200, "é" * 200, "🪑", "<script>alert(1)</script>", "'; DROP TABLE", "\u202e"])
def test_any_other_text_is_a_name(name: str) -> None:
    answer = staff().put("/products/1", {"name": name})

    assert (answer.status_code, answer.json()["name"]) == (200, name)
    assert anonymous().get("/products/1").json()["name"] == name


@pytest.mark.parametrize("body", ["[]", '"Chair"', "5", "null"])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    answer = staff().generic("POST", "/products", body, content_type="application/json")

    assert_problem(answer, 400, "validation_error", fields=["non_field_errors"])


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/products/3"), ("PATCH", "/products/3"), ("DELETE", "/products/3")]
)
def test_what_does_not_exist_cannot_be_changed(method: str, path: str) -> None:
    answer = staff().generic(method, path, '{"name": "Chair"}', content_type="application/json")

    assert_problem(answer, 404, "not_found")


def test_another_media_type_is_not_supported() -> None:
    answer = staff().post("/products", data="name=Chair", content_type="application/x-www-form-urlencoded")

    assert_problem(answer, 415, "unsupported_media_type")


def test_staff_get_forms_in_a_browser() -> None:
    answer = staff().get("/products/1", headers={"accept": BROWSER})

    assert answer.status_code == 200
    assert "Quantum Laptop" in answer.content.decode()
    assert 'name="_content"' in answer.content.decode()
