"""Idempotency-Key on POST /orders: a repeated request gets the first answer and runs once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from ops.tests.clients import anonymous
from ops.tests.problem_shape import assert_problem
from orders_project.orders import lifecycle, metrics, selectors
from orders_project.orders.models import Order
from orders_project.orders.tests.products_peer import orders_asks, products_peer

pytestmark = pytest.mark.django_db(transaction=True)

KEY = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'


@pytest.fixture
def _products() -> Iterator[None]:
    with products_peer():
        yield


def place(key: str | None = KEY, product_id: Any = 1, quantity: Any = 2, body: str | None = None):
    headers = {} if key is None else {"Idempotency-Key": key}
    if body is not None:
        return anonymous().generic("POST", "/orders", body, content_type="application/json", headers=headers)
    return anonymous().post("/orders", {"productId": product_id, "quantity": quantity}, headers=headers)


def replayed() -> Any:
    return metrics.orders_replayed_total._value.get()


def created() -> Any:
    return metrics.orders_created_total._value.get()


@pytest.mark.usefixtures("_products")
def test_the_first_use_places_the_order_as_ever() -> None:
    answer = place()

    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer
    assert Order.objects.get().idempotency_key == KEY.strip('"')


@pytest.mark.usefixtures("_products")
def test_the_same_request_again_is_answered_the_same_and_places_nothing() -> None:
    first = place()
    before = created(), replayed()

    again = place()

    assert (again.status_code, again.content) == (201, first.content)
    assert again["Location"] == first["Location"]
    assert again["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1
    assert (created(), replayed()) == (before[0], before[1] + 1)


@pytest.mark.usefixtures("_products")
def test_a_replay_asks_products_nothing() -> None:
    first = place()

    with orders_asks("http://127.0.0.1:9"):  # where nothing listens
        assert place().content == first.content


@pytest.mark.usefixtures("_products")
def test_what_counts_is_the_payload_not_how_it_is_written() -> None:
    first = place()

    again = place(body='{ "quantity" : 2,\n "productId": 1 }')

    assert (again.status_code, again.content) == (201, first.content)


@pytest.mark.usefixtures("_products")
@pytest.mark.parametrize("other", [{"product_id": 2}, {"quantity": 3}])
def test_another_order_under_the_same_key_is_refused(other: dict[str, Any]) -> None:
    place()

    assert_problem(place(**other), 422, "idempotency_key_reused")
    assert Order.objects.count() == 1


@pytest.mark.usefixtures("_products")
def test_without_a_key_each_request_is_an_order() -> None:
    assert place(None).json()["id"] != place(None).json()["id"]
    assert Order.objects.filter(idempotency_key=None, payload_hash=None).count() == 2


@pytest.mark.usefixtures("_products")
@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("a", "a"),
        ('"a"', "a"),
        ("x" * 255, "x" * 255),
        (f'"{"x" * 255}"', "x" * 255),
        (f'"{chr(92) * 510}"', chr(92) * 255),
        (r'"say \"hi\" \\ bye"', r'say "hi" \ bye'),
        ('a "b" ;c=1', 'a "b" ;c=1'),
        ('"a, b"', "a, b"),
        ('" "', " "),
        ("~!#$%&'()*+-./:;<=>?@[]^_`{|}", "~!#$%&'()*+-./:;<=>?@[]^_`{|}"),
    ],
)
def test_a_key_is_bare_or_a_quoted_string(header: str, key: str) -> None:
    assert place(header).status_code == 201
    assert Order.objects.get().idempotency_key == key


@pytest.mark.parametrize(
    "header",
    [
        "",
        '""',
        '"',
        '"a',
        '"a"b',
        '"a";p=1',
        '"a", "b"',  # two headers, as a server joins them
        '"a","a"',
        "a,b",
        "a, b",
        'a,"b"',
        "a,",
        ",",
        r'"\a"',
        '"a\\"',
        "x" * 256,
        f'"{"x" * 256}"',
        "tab\there",
        "caf\xe9",
        '"caf\xe9"',
        "\x7f",
        " ",
    ],
)
def test_what_is_no_key_is_refused_by_name(header: str) -> None:
    assert_problem(place(header), 400, "idempotency_key_invalid")
    assert not Order.objects.exists()


@pytest.mark.usefixtures("_products")
def test_what_was_not_decided_is_not_remembered() -> None:
    assert_problem(place(quantity=0), 400, "validation_error")
    assert_problem(place(body="{"), 400, "parse_error")
    assert_problem(place(product_id=99), 400, "product_does_not_exist")
    with orders_asks("http://127.0.0.1:9"):
        assert_problem(place(), 500, "products_unavailable")

    corrected = place(product_id=2)

    assert corrected.status_code == 201
    assert "Idempotency-Replayed" not in corrected


@pytest.mark.usefixtures("_products")
def test_the_slower_of_two_at_once_answers_what_the_faster_one_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have found no order of the key; the table's constraint decides."""
    first = place()
    looked: list[str] = []
    look = selectors.order_of_key

    def look_too_early(key: str, owner: str | None) -> Order | None:
        looked.append(key)
        return None if len(looked) == 1 else look(key, owner)

    monkeypatch.setattr(selectors, "order_of_key", look_too_early)

    again = place()

    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (201, first.content, "true")
    assert len(looked) == 2
    assert Order.objects.count() == 1


@pytest.mark.usefixtures("_products")
def test_what_else_the_table_refuses_is_no_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(order: Order) -> None:
        raise IntegrityError("another constraint")

    monkeypatch.setattr(lifecycle, "store_confirmed", refuse)

    assert_problem(place(), 500, "internal_error")


@pytest.mark.usefixtures("_products")
def test_a_key_costs_one_statement_more(django_assert_num_queries) -> None:
    statements = 1 if connection.vendor == "postgresql" else 4  # BEGIN, the order, its event, COMMIT
    with django_assert_num_queries(statements):
        place(None)
    with django_assert_num_queries(statements + 1):
        place()


@pytest.mark.usefixtures("_products")
def test_the_key_is_not_logged() -> None:
    with capture_logs(processors=[merge_contextvars]) as lines:
        place("canary-of-the-client")
        place("canary-of-the-client", quantity=5)

    assert "request.finished" in {line["event"] for line in lines}
    assert "canary" not in str(lines)
