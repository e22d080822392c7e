"""Every client may read products."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from ops.tests.clients import BROWSER, anonymous
from ops.tests.problem_shape import assert_problem
from products_project.products import selectors
from products_project.products.models import Product
from products_project.products.seeding.rows import Row
from products_project.products.services.catalogue import built_in_products, seed_products

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_products(rows=built_in_products())


def test_a_product_has_exactly_an_id_and_a_name() -> None:
    answer = anonymous().get("/products/1")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.content == b'{"id":1,"name":"Quantum Laptop"}'


def test_it_costs_one_query() -> None:
    with CaptureQueriesContext(connection) as queries:
        anonymous().get("/products/1")

    assert len(queries) == 1


@pytest.mark.parametrize("stock", [0, 5])
@pytest.mark.parametrize("method", ["get", "head"])
def test_tracked_stock_shows_in_a_header_and_costs_no_query(stock: int, method: str) -> None:
    Product.objects.filter(pk=1).update(stock=stock)

    with CaptureQueriesContext(connection) as queries:
        answer = getattr(anonymous(), method)("/products/1")

    assert answer.headers["Argos-Stock"] == "tracked"
    assert answer.content == (b'{"id":1,"name":"Quantum Laptop"}' if method == "get" else b"")
    assert len(queries) == 1


def test_without_tracked_stock_there_is_no_such_header() -> None:
    assert "Argos-Stock" not in anonymous().get("/products/1").headers


@pytest.mark.parametrize("product_id", ["3", "0", str(2**63 - 1), str(2**63), "9" * 20, "9" * 400])
def test_a_product_that_does_not_exist_is_not_found(product_id: str) -> None:
    assert_problem(anonymous().get(f"/products/{product_id}"), 404, "not_found")


@pytest.mark.parametrize("path", ["/products/", "/products/1/", "/products/-1", "/products/1.0", "/products/x"])
def test_other_paths_are_not_found_and_never_redirected(path: str) -> None:
    for method in ("GET", "POST", "PUT"):
        assert_problem(anonymous().generic(method, path), 404, "not_found")


def test_the_list_is_in_the_order_of_the_ids() -> None:
    Product.objects.create(pk=7, name="Aardvark")

    assert anonymous().get("/products").json() == {
        "next": None,
        "previous": None,
        "results": [
            {"id": 1, "name": "Quantum Laptop"},
            {"id": 2, "name": "Neutrino Keyboard"},
            {"id": 7, "name": "Aardvark"},
        ],
    }


def test_the_list_comes_in_pages_of_fifty() -> None:
    Product.objects.bulk_create(Product(pk=number, name=f"Product {number}") for number in range(3, 72))

    first = anonymous().get("/products").json()
    second = anonymous().get(first["next"]).json()

    assert [item["id"] for item in first["results"]] == list(range(1, 51))
    assert [item["id"] for item in second["results"]] == list(range(51, 72))
    assert second["next"] is None


def test_the_search_is_kept_on_the_next_page() -> None:
    Product.objects.bulk_create(Product(pk=number, name=f"Chair {number}") for number in range(3, 9))

    first = anonymous().get("/products?search=chair&page_size=4").json()
    second = anonymous().get(first["next"]).json()

    assert [item["id"] for item in first["results"] + second["results"]] == list(range(3, 9))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("id=2", [2]),
        ("id=7,2,99,2", [2, 7]),
        (f"id={2**63}", []),
        ("id=1,2&search=laptop", [1]),
        ("ordering=id", [1, 2, 7]),
        ("ordering=-id", [7, 2, 1]),
        ("ordering=name", [7, 2, 1]),
        ("ordering=-name", [1, 2, 7]),
        ("ordering=name&id=1,7", [7, 1]),
    ],
)
def test_the_list_is_filtered_by_ids_and_sorted_on_each_page(query: str, found: list[int]) -> None:
    Product.objects.create(pk=7, name="Aardvark")

    seen, url = [], f"/products?{query}&page_size=1"
    while url:
        page = anonymous().get(url).json()
        seen += [item["id"] for item in page["results"]]
        url = page["next"]

    assert seen == found


def test_products_of_one_name_are_on_their_pages_once() -> None:
    Product.objects.bulk_create(Product(pk=number, name="Chair") for number in range(3, 13))

    seen, url = [], "/products?ordering=-name&page_size=3"
    while url:
        page = anonymous().get(url).json()
        seen += [item["id"] for item in page["results"]]
        url = page["next"]

    assert seen == [1, 2, *range(12, 2, -1)]


def test_the_names_are_sorted_by_an_index() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")

    plan = selectors.list_products().filter(name__gt="a").order_by("name", "pk")[:51].explain()

    assert "product_name_on_sale" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("laptop", [1]),
        ("QUANTUM", [1]),
        ("board", [2]),
        ("neutrino key", [2]),
        ("", [1, 2]),
        ("chair", []),
        ("abc%25", []),
    ],
)
def test_search_looks_in_the_name_in_any_case(text: str, found: list[int]) -> None:
    answer = anonymous().get(f"/products?search={text}")

    assert [item["id"] for item in answer.json()["results"]] == found


@pytest.mark.parametrize(
    ("name", "text", "is_found"),
    [
        ("ÜBERGRÖSSE", "über", True),
        ("übergröße", "ÜBERGRÖSSE", True),
        ("Straße", "STRASSE", True),
        ("STRASSE", "straße", True),
        ("Οδοσ", "ΟΔΟΣ", True),
        ("ὈΔΟΣ", "ὀδος", True),
        ("ЯЙЦЫ", "яйцы", True),
        ("Café", "CAFÉ", True),
        ("Café", "cafe", False),
        ("Cafe\u0301", "café", False),
        ("Über", "uber", False),
        ("100% a_b", "100% A_B", True),
        ("100 axb", "100% a_b", False),
        ("back\\slash", "ACK\\S", True),
        ("日本酒", "日本", True),
        ("純米 日本酒", "日本", True),
        ("純米日本酒", "日本", False),
        ("純米日本酒", "日本酒", True),
        ("Lamp, new", "la", True),
        ("Lamp, new", "NE", True),
        ("Lamp, new", "am", False),
        ("Lamp, new", "a", False),
        ("50% off", "0%", False),
        ("50% off", "50%", True),
        ("a_b", "a%", False),
    ],
)
def test_case_is_folded_and_accents_count_as_written(name: str, text: str, is_found: bool) -> None:
    Product.objects.create(pk=7, name=name)

    found = anonymous().get("/products", {"search": text}).json()["results"]

    assert (7 in [item["id"] for item in found]) == is_found


@pytest.mark.parametrize("text", ["laptop", "la", "日本", "日"])
def test_a_search_uses_the_index_that_postgresql_has(text: str) -> None:
    products = Product.objects.filter(name__folded_contains=text)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")

        assert "product_name_trigrams" in products.explain()
    else:
        assert "SCAN" in products.explain()  # SQLite reads the table


@pytest.mark.parametrize("text", ["rare", "xy"])
def test_a_search_of_a_large_table_for_a_rare_word_uses_that_index_by_itself(text: str) -> None:
    names = ["Rare Xy", *(f"Product {number}" for number in range(50_000))]
    seed_products(rows=[Row(number, number, name) for number, name in enumerate(names, 1)])
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # as autovacuum does
            cursor.execute("SELECT gin_clean_pending_list('product_name_trigrams')")

    page = selectors.list_products().filter(name__folded_contains=text).order_by("pk")[:51]

    assert [product.name for product in page] == ["Rare Xy"]
    assert connection.vendor == "sqlite" or "product_name_trigrams" in page.explain()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=x", "cursor"),
        ("page_size=0", "page_size"),
        ("page_size=201", "page_size"),
        ("search=%00", "search"),
        ("search=-+%25%25%25", "search"),
        *((f"id={text}", "id") for text in ("", "0", "x", "1,", ",1", "1,,2", "-1", "1.0", "+1", "٣", "1" * 20)),
        ("id=" + ",".join(map(str, range(1, 102))), "id"),
        ("ordering=", "ordering"),
        ("ordering=stock", "ordering"),
        ("ordering=name,id", "ordering"),
        ("ordering=name&cursor=cD1hJTAwYg%3D%3D", "cursor"),
        ("ordering=name&cursor=bz0xMDAw", "cursor"),
    ],
)
def test_a_bad_parameter_is_named(query: str, field: str) -> None:
    assert_problem(anonymous().get(f"/products?{query}"), 400, "validation_error", fields=[field])


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ("/products?serach=x", "serach", "search may be meant"),
        ("/products?limit=1", "limit", "page_size may be meant"),
        ("/products?sort=-name", "sort", "ordering may be meant"),
        ("/products?fields=id", "fields", "it takes cursor, id, ordering, page_size, search"),
        ("/products?search=a&search=b", "search", "once"),
        ("/products/1?fields=id", "fields", "it takes none"),
        ("/products/1/stats?limit=1", "limit", "it takes none"),
        ("/products?%ED%A0%80=1", "non_field_errors", "it takes"),
        ("/openapi.json?version=1", "version", "it takes none"),
    ],
)
@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_an_unknown_parameter_is_refused_with_the_one_that_may_be_meant(
    method: str, query: str, field: str, said: str
) -> None:
    answer = getattr(anonymous(), method)(query)

    assert answer.status_code == 400
    if method != "head":
        assert said in assert_problem(answer, 400, "validation_error", fields=[field])["errors"][0]["detail"]


@pytest.mark.parametrize("path", ["/products", "/products/1", "/products/1/stats"])
def test_a_path_with_a_trailing_slash_is_told_the_one_without(path: str) -> None:
    problem = assert_problem(anonymous().get(f"{path}/"), 404, "not_found")

    assert problem["detail"] == f"Paths have no trailing slash: this one is {path}."


@pytest.mark.parametrize("path", ["/products", "/products/1"])
def test_head_answers_without_a_body(path: str) -> None:
    answer = anonymous().head(path)

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/products", "/products/1"])
def test_options_names_the_methods(path: str) -> None:
    answer = anonymous().options(path)

    assert answer.status_code == 200
    assert {"GET", "HEAD", "OPTIONS"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/products"),
        ("DELETE", "/products"),
        ("POST", "/products/1"),
        ("TRACE", "/products"),
        ("EVIL", "/products/1"),
    ],
)
def test_a_method_that_is_not_there_is_not_allowed_to_anyone(method: str, path: str) -> None:
    answer = anonymous().generic(method, path)

    assert_problem(answer, 405, "method_not_allowed")
    assert method not in answer.headers["Allow"]


@pytest.mark.parametrize(("path", "status"), [("/products", 200), ("/products/1", 200), ("/products/3", 404)])
def test_a_browser_gets_the_browsable_api(path: str, status: int) -> None:
    answer = anonymous().get(path, headers={"accept": BROWSER})

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_staff_are_known_in_the_browsable_api_and_get_the_forms_to_write() -> None:
    staff = APIClient(enforce_csrf_checks=True)
    staff.force_login(User.objects.create_user("ada", is_staff=True))

    page = staff.get("/products/1", headers={"accept": BROWSER}).content.decode()

    assert "ada" in page
    assert "Log in" not in page
    assert 'data-method="PUT"' in page


def test_another_media_type_is_not_acceptable() -> None:
    assert_problem(anonymous().get("/products/1", headers={"accept": "application/xml"}), 406, "not_acceptable")
