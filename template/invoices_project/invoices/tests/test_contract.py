"""The document is valid, and no request to a path of invoices is a fault of the server's."""

from __future__ import annotations

import pytest
from openapi_spec_validator import validate

from ops.tests.clients import anonymous
from ops.tests.every_route import METHODS, failures, paths

pytestmark = pytest.mark.django_db


def test_the_document_names_every_operation() -> None:
    document = anonymous().get("/openapi.json").json()

    validate(document)
    assert set(document["paths"]) == {"/invoices/{order_id}", "/events"}
    assert {"/invoices/1", "/events", "/docs", "/admin/invoices/invoice/"} <= set(paths())


@pytest.mark.parametrize("method", METHODS)
def test_no_route_answers_with_a_5xx(method: str) -> None:
    assert failures(method) == []
