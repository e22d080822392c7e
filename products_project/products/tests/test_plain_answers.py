"""A read is freed with its answer, and its headers are those that Django REST framework makes."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from ops.server.wsgi import get_application
from ops.tests.call_wsgi import call_wsgi
from products_project.products.models import Product
from products_project.products.views.products import ProductDetail

pytestmark = pytest.mark.django_db


def test_a_read_leaves_no_view_to_the_garbage_collector() -> None:
    product = Product.objects.create(name="Quantum Laptop")
    application = get_application()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        status, _, _ = call_wsgi(application, {"PATH_INFO": f"/products/{product.pk}"})
        gc.collect()
        left = [found for found in gc.garbage if isinstance(found, APIView)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()

    assert status == "200 OK"
    assert left == []


@pytest.mark.parametrize("headers", [{}, {"accept": "text/html"}])
@pytest.mark.parametrize("number", ["1", "2"])
def test_allow_and_vary_are_those_of_the_framework(number: str, headers: dict[str, str]) -> None:
    product = Product.objects.create(pk=1, name="Quantum Laptop")

    class Framework(ProductDetail):
        default_response_headers = APIView.default_response_headers
        finalize_response = APIView.finalize_response

    def answered(view: type[ProductDetail]) -> dict[str, Any]:
        request = APIRequestFactory().get("/products/1", headers=headers)
        return dict(view.as_view()(request, product_id=int(number)).items())

    assert product.pk == 1
    assert answered(ProductDetail) == answered(Framework)
    assert answered(ProductDetail)["Allow"] == "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
