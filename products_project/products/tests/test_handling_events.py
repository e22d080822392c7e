"""Services POST events; each takes effect once."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from prometheus_client import REGISTRY

from events.cloudevents import InvalidEvent, read_event
from events.inbox.handler import handle_event
from events.inbox.models import InboxEvent
from events.tests.made_events import CONFIRMED, confirmed
from ops.tests.clients import BROWSER, anonymous, staff
from ops.tests.problem_shape import assert_problem
from ops.tests.service_tokens import bearer, service_token
from products_project.products.models import Product, ProductSales
from products_project.products.services.catalogue import built_in_products, retire_product, seed_products

pytestmark = pytest.mark.django_db

STRUCTURED = "application/cloudevents+json"
RECEIVER = "products-service"


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_products(rows=built_in_products())


def post(event: Any, *, token: str | None = "", content_type: str = STRUCTURED) -> Any:
    """Send an event with this token, or by default with one of orders."""
    body = event.decode() if isinstance(event, bytes) else json.dumps(event)
    token = service_token(RECEIVER) if token == "" else token
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return anonymous().generic("POST", "/events", body, content_type=content_type, headers=headers)


def sold(product_id: int = 1) -> int:
    answer = anonymous().get(f"/products/{product_id}/stats")
    assert answer.status_code == 200
    assert answer.json() == {"productId": product_id, "unitsSold": answer.json()["unitsSold"]}
    return int(answer.json()["unitsSold"])


def counted(kind: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("events_consumed_total", {"type": kind, "outcome": outcome}) or 0.0


def test_a_confirmed_order_counts_as_sold() -> None:
    before = counted(CONFIRMED, "applied")

    answers = [post(confirmed(quantity=2)), post(confirmed(quantity=3)), post(confirmed(product_id=2))]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 3
    assert (sold(1), sold(2)) == (5, 2)
    assert counted(CONFIRMED, "applied") == before + 3


def test_a_second_delivery_gets_the_same_answer_and_has_no_effect() -> None:
    event, before = confirmed(), counted(CONFIRMED, "duplicate")

    assert [post(event).status_code for _ in range(3)] == [204, 204, 204]

    assert sold() == 2
    assert counted(CONFIRMED, "duplicate") == before + 2


def test_the_same_id_from_another_source_is_another_event() -> None:
    event = confirmed()

    assert [post(event | {"source": source}).status_code for source in ("/one", "/other")] == [204, 204]

    assert sold() == 4


def test_a_type_that_is_not_known_is_taken_and_ignored() -> None:
    before = counted("unknown", "ignored")

    assert post(confirmed(type="argos.order.cancelled.v1")).status_code == 204

    assert sold() == 0
    assert not InboxEvent.objects.exists()
    assert counted("unknown", "ignored") == before + 1


def test_nobody_else_may_send_one() -> None:
    assert_problem(post(confirmed(), token=None), 401, "not_authenticated")
    assert_problem(post(confirmed(), token="wrong"), 401, "invalid_token")
    assert_problem(post(confirmed(), token=service_token("another-service")), 401, "invalid_token")
    assert_problem(post(confirmed(), token=service_token(RECEIVER, "shop-service")), 403, "permission_denied")
    assert_problem(staff().post("/events", confirmed()), 401, "not_authenticated")
    assert sold() == 0


@pytest.mark.parametrize(
    "members",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"id": 7},
        {"id": "x" * 256},
        {"id": "a\x00b"},
        {"source": ""},
        {"type": None},
        {"subject": 42},
        {"traceparent": 7},
        {"correlationid": 7},
        {"time": "yesterday"},
        {"time": "2026-11-20T09:30:00"},
        {"time": 7},
        {"datacontenttype": "text/xml"},
        {"data_base64": "e30="},
        {"data": [1]},
        {"data": {}},
        {"data": {"productId": "1", "quantity": 1}},
        {"data": {"productId": 1, "quantity": 0}},
        {"data": {"productId": True, "quantity": 1}},
        {"data": {"productId": 2**63, "quantity": 1}},
        *(
            {"data": confirmed()["data"] | members}
            for members in (
                {"orderId": "x"},
                {"orderId": 0},
                {"productId": 2**63},
                {"productId": None},
                {"quantity": 1_000_001},
                {"quantity": 2**63 - 1},
                {"quantity": 1.0},
                {"confirmedAt": "yesterday"},
                {"confirmedAt": 7},
                {"price": 1},
            )
        ),
    ],
)
def test_what_is_no_event_is_refused_and_not_remembered(members: dict[str, Any]) -> None:
    assert_problem(post(confirmed() | members), 400, "event_invalid")

    assert sold() == 0
    assert not InboxEvent.objects.exists()


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert_problem(post(body), 400, "event_invalid")


def test_what_is_no_json_is_refused() -> None:
    assert_problem(post(b"{"), 400, "parse_error")
    assert_problem(post(confirmed(), content_type="application/json"), 415, "unsupported_media_type")


def test_a_broken_trace_is_no_reason_to_refuse_it() -> None:
    assert post(confirmed(traceparent="00-nonsense", correlationid="a request\n")).status_code == 204


def test_an_effect_that_fails_is_not_remembered() -> None:
    ProductSales.objects.create(product_id=1, units_sold=2**63 - 1)  # the column holds no more

    if connection.vendor == "postgresql":  # SQLite makes a floating-point number of it
        assert post(confirmed()).status_code == 500
        assert not InboxEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_deliveries_at_once_have_one_effect() -> None:
    event = read_event(confirmed())
    outcomes: list[str] = []

    def deliver() -> None:
        try:
            outcomes.append(handle_event(event))
        finally:
            connection.close()

    if connection.vendor != "postgresql":  # its in-memory database allows one writer at a time
        outcomes += [handle_event(event) for _ in range(8)]
    else:
        threads = [threading.Thread(target=deliver) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(outcomes) == ["applied", *["duplicate"] * 7]
    assert sold() == 2


def test_the_stats_of_a_retired_product_stay_and_of_an_unknown_one_are_not_found() -> None:
    post(confirmed())
    retire_product(product_id=1)

    assert sold() == 2
    for product_id in ("3", "0", "9" * 30):
        assert_problem(anonymous().get(f"/products/{product_id}/stats"), 404, "not_found")


def test_a_sale_of_a_product_that_is_gone_is_counted_all_the_same() -> None:
    Product.objects.filter(pk=1).delete()

    assert post(confirmed()).status_code == 204

    seed_products(rows=built_in_products())
    assert sold() == 2


def test_the_admin_shows_what_was_sold() -> None:
    post(confirmed(quantity=1234))

    page = staff().get("/admin/products/product/").content.decode()

    assert '<td class="field-units_sold">1234</td>' in page
    assert '<td class="field-units_sold">0</td>' in page


def test_every_type_has_a_handler_that_can_be_imported() -> None:
    for kind in settings.INBOX:
        with pytest.raises(InvalidEvent):
            handle_event(read_event(confirmed(type=kind, data={})))


def test_rows_say_what_they_are() -> None:
    post(confirmed())

    assert str(InboxEvent.objects.get()).startswith(f"{CONFIRMED} ")


@pytest.mark.parametrize("accept", ["text/html", BROWSER])
@pytest.mark.parametrize("is_service", [True, False])
def test_the_answer_is_never_a_page(is_service: bool, accept: str) -> None:
    headers = {"accept": accept} | (bearer(RECEIVER) if is_service else {})
    answer = anonymous().generic("POST", "/events", "{}", content_type=STRUCTURED, headers=headers)

    if accept == "text/html":
        assert_problem(answer, 406, "not_acceptable")
    elif not is_service:
        assert_problem(answer, 401, "not_authenticated")
    else:
        assert_problem(answer, 400, "event_invalid")
