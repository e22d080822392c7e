"""A confirmed order becomes one invoice, however often its event arrives."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from events.tests.made_events import confirmed
from invoices_project.invoices.models import Invoice
from ops.tests.clients import anonymous
from ops.tests.problem_shape import assert_problem
from ops.tests.service_tokens import bearer

pytestmark = pytest.mark.django_db


def post(event: dict[str, Any]) -> Any:
    headers = bearer("invoices-service")
    body, content_type = json.dumps(event), "application/cloudevents+json"
    return anonymous().generic("POST", "/events", body, content_type=content_type, headers=headers)


def test_an_event_becomes_an_invoice_once() -> None:
    event = confirmed(product_id=7, quantity=3)

    assert [post(event).status_code for event in (event, event, confirmed())] == [204] * 3

    answer = anonymous().get("/invoices/42")
    assert answer.status_code == 200
    assert answer.json() == {
        "orderId": 42,
        "productId": 7,
        "quantity": 3,
        "createdAt": answer.json()["createdAt"],
    }


def test_an_unknown_order_has_none() -> None:
    assert_problem(anonymous().get("/invoices/42"), 404, "not_found")


def test_old_ones_are_purged() -> None:
    now = timezone.now()
    for order_id, age in ((1, 100), (2, 1)):
        created = now - timedelta(days=age)
        Invoice.objects.create(order_id=order_id, product_id=1, quantity=1, created_at=created)

    call_command("purge_invoices", "--older-than", "90d", "--yes")

    assert list(Invoice.objects.values_list("pk", flat=True)) == [2]
