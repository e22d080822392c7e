"""Entity tags of products: unchanged reads are 304, and of two writers who read the same state one gets 412."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from ops.api.preconditions import PreconditionFailed
from ops.tests.clients import BROWSER, anonymous, staff
from ops.tests.problem_shape import assert_problem
from products_project.products.errors import ProductNotFound
from products_project.products.models import Product
from products_project.products.services.editing import change_product, delete_product

pytestmark = pytest.mark.django_db

WRITES = [("PUT", '{"name": "Chair"}'), ("PATCH", '{"name": "Chair"}'), ("DELETE", "")]
WRITERS = 6


@pytest.fixture(autouse=True)
def _lamp(db: None) -> None:
    Product.objects.create(pk=1, name="Lamp")


def tag(path: str = "/products/1") -> str:
    return str(anonymous().get(path).headers["ETag"])


def write(method: str, body: str, **headers: str) -> Any:
    return staff().generic(method, "/products/1", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("path", ["/products/1", "/products", "/products?search=lamp"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_client_that_holds_the_answer_gets_no_body(path: str, method: str) -> None:
    read = anonymous().get(path)
    again = getattr(anonymous(), method)(path, headers={"if-none-match": read.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    for name in ("ETag", "Cache-Control", "Vary"):
        assert again.headers[name] == read.headers[name]
    assert not {"Content-Length", "Content-Type"} & set(again.headers)
    assert read.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("header", "template", "status"),
    [
        ("if-none-match", "*", 304),
        ("if-none-match", "W/{tag}", 304),
        ("if-none-match", '"other", {tag}', 304),
        ("if-none-match", ',"a,b" , ,W/"c",{tag},', 304),
        ("if-none-match", '"other"', 200),
        ("if-match", "*", 200),
        ("if-match", '"other", {tag}', 200),
        ("if-match", "W/{tag}", 412),
        ("if-match", '"other"', 412),
        ("if-modified-since", "Sat, 28 Nov 2026 10:00:00 GMT", 200),  # a product has no such date
    ],
)
def test_tags_are_compared_as_rfc_9110_says(header: str, template: str, status: int) -> None:
    answer = anonymous().get("/products/1", headers={header: template.replace("{tag}", tag())})

    assert answer.status_code == status


@pytest.mark.parametrize("value", ["x", '"', '"a" "b"', 'w/"a"', '*, "a"', '"a', "", '"a b"'])
@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_invalid_list_of_tags_is_refused_by_name(method: str, header: str, value: str) -> None:
    answer = write(method, '{"name": "Chair"}', **{header: value})

    assert_problem(answer, 400, "validation_error", fields=[header])
    assert Product.objects.get().name == "Lamp"


@pytest.mark.parametrize("changes", [{"name": "Lamp 2"}, {"stock": 5}])
def test_the_tag_changes_with_the_answer_and_not_with_the_count(changes: dict[str, Any]) -> None:
    before = tag()

    Product.objects.update(**changes)
    after = tag()
    Product.objects.filter(stock=5).update(stock=4)

    assert after != before
    assert tag() == after


def test_an_invalid_list_is_refused_before_the_other_one_is_judged() -> None:
    answer = anonymous().get("/products/1", headers={"if-match": '"other"', "if-none-match": "no tag"})

    assert_problem(answer, 400, "validation_error", fields=["If-None-Match"])


@pytest.mark.parametrize("accept", ["application/json; charset=utf-8", "application/json;q=0.9", "APPLICATION/JSON"])
def test_every_way_to_ask_for_json_gets_a_tag(accept: str) -> None:
    answer = anonymous().get("/products/1", headers={"accept": accept, "if-none-match": "*"})

    assert (answer.status_code, answer.headers["ETag"]) == (304, tag())


def test_a_page_for_a_browser_has_no_tag() -> None:
    answer = anonymous().get("/products/1", headers={"accept": BROWSER, "if-none-match": "*"})

    assert (answer.status_code, "ETag" in answer.headers) == (200, False)


@pytest.mark.parametrize(("method", "body"), WRITES)
def test_a_write_succeeds_if_the_product_is_as_it_was_read(method: str, body: str) -> None:
    answer = write(method, body, **{"if-match": tag()})

    assert answer.status_code in (200, 204)
    assert not Product.objects.filter(name="Lamp").exists()


@pytest.mark.parametrize("headers", [{"if-match": '"other"'}, {"if-none-match": "*"}])
@pytest.mark.parametrize(("method", "body"), WRITES)
def test_a_write_whose_precondition_does_not_hold_changes_nothing(
    method: str, body: str, headers: dict[str, str]
) -> None:
    assert_problem(write(method, body, **headers), 412, "precondition_failed")
    assert Product.objects.get().name == "Lamp"


def test_a_product_that_does_not_exist_is_not_found_whatever_the_precondition() -> None:
    Product.objects.all().delete()

    assert_problem(write("PUT", "{}", **{"if-match": "*"}), 404, "not_found")


RETIRED = {"retired_at": "2026-11-28T10:00:00Z"}


@pytest.mark.parametrize(
    ("other", "if_unchanged", "error"),
    [
        ({"name": "Desk"}, True, PreconditionFailed),
        (RETIRED, True, PreconditionFailed),
        (RETIRED, False, ProductNotFound),
    ],
)
def test_a_change_between_the_read_and_the_write_is_kept(
    other: dict[str, Any], if_unchanged: bool, error: type[Exception]
) -> None:
    product = Product.objects.get()
    Product.objects.update(**other)

    with pytest.raises(error):
        change_product(product=product, changes={"name": "Chair"}, if_unchanged=if_unchanged)
    with pytest.raises(error):
        delete_product(product=product, if_unchanged=if_unchanged)
    assert Product.objects.get().name == other.get("name", "Lamp")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_of_writers_at_once_with_one_tag_exactly_one_succeeds(method: str) -> None:
    read, client = tag(), staff()
    if connection.vendor == "sqlite":
        pytest.skip("the tests' database in memory belongs to one thread")
    together = Barrier(WRITERS)

    def change(number: int) -> int:
        together.wait(30)
        try:
            body = f'{{"name": "Chair {number}"}}'
            answer = client.generic(
                method, "/products/1", body, content_type="application/json", headers={"if-match": read}
            )
            return int(answer.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as writers:
        statuses = Counter(writers.map(change, range(WRITERS)))

    assert statuses[200 if method == "PUT" else 204] == 1
    # A writer that begins after a DELETE finds nothing.
    assert statuses[412] + statuses[404] == WRITERS - 1
    assert method == "DELETE" or statuses[404] == 0
