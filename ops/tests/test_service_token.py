"""Services authenticate by a token; other clients are refused, and the token never leaks."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import path
from pydantic import SecretStr
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from ops.api.authentication import ServiceTokenAuthentication
from ops.api.permissions import IsService
from ops.config.service import DEVELOPMENT_TOKEN
from ops.tests.clients import BROWSER, staff
from ops.tests.problem_shape import assert_problem
from ops.tests.urls import handler400, handler403, handler404, handler500
from ops.tests.urls import urlpatterns as plain

__all__ = ["handler400", "handler403", "handler404", "handler500"]

pytestmark = pytest.mark.urls(__name__)

OLD, NEW = "old-canary-0123456789", "new-canary-0123456789"


class ForServices(APIView):
    """A view for services."""

    authentication_classes = [ServiceTokenAuthentication]
    permission_classes = [IsService]

    def put(self, request: Request) -> Response:
        return Response({"anonymous": request.user.is_anonymous, "auth": request.auth})


urlpatterns = [path("for-services", ForServices.as_view()), *plain]


@pytest.fixture
def rotating(settings: Any) -> None:
    """Configure a current and a previous token."""
    tokens = {"service_token": SecretStr(NEW), "service_token_previous": SecretStr(OLD)}
    settings.CONFIG = settings.CONFIG.model_copy(update=tokens)


def put(client: APIClient, authorization: str | None = None, **headers: str) -> Any:
    if authorization is not None:
        headers["authorization"] = authorization
    return client.put("/for-services", {}, headers=headers)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("token", [OLD, NEW])
@pytest.mark.usefixtures("rotating")
def test_the_current_and_the_previous_token_open_the_door(client: APIClient, scheme: str, token: str) -> None:
    answer = put(client, f"{scheme} {token}")

    assert answer.status_code == 200
    assert answer.json() == {"anonymous": True, "auth": "service"}  # and not the token itself


def test_without_a_previous_token_there_is_one(client: APIClient) -> None:
    assert put(client, f"Bearer {DEVELOPMENT_TOKEN}").status_code == 200
    assert put(client, "Bearer None").status_code == 401


@pytest.mark.parametrize(
    "authorization",
    [
        *("", "Bearer", "Bearer ", NEW, f"Basic {NEW}", f"Bearer{NEW}", f"Bearer {NEW}x", f"Bearer {NEW[:-1]}"),
        *(f"Bearer {NEW.upper()}", f"Bearer {NEW},{OLD}", "Bearer t\xf6k\xe9n", "Bearer \udcff", "Bearer ?", None),
    ],
)
@pytest.mark.usefixtures("rotating")
def test_anything_else_is_refused(client: APIClient, authorization: str | None) -> None:
    answer = put(client, authorization)

    problem = assert_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="plain-service"'
    assert "service" in problem["detail"]
    assert "canary" not in str(answer.content) + str(answer.headers)


@pytest.mark.django_db
def test_being_staff_is_no_token() -> None:
    assert_problem(put(staff()), 401, "not_authenticated")


def test_a_browser_is_refused_too(client: APIClient) -> None:
    answer = put(client, accept=BROWSER)

    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_method_that_is_not_there_is_not_allowed_to_anyone(client: APIClient) -> None:
    for method in ("POST", "EVIL"):
        assert_problem(client.generic(method, "/for-services"), 405, "method_not_allowed")


def test_the_document_says_that_it_is_for_services(client: APIClient) -> None:
    document = client.get("/openapi.json").json()

    operation = document["paths"]["/for-services"]["put"]
    assert operation["security"] == [{"serviceToken": []}]
    assert "401" in operation["responses"]
    assert "403" not in operation["responses"]
    assert document["components"]["securitySchemes"]["serviceToken"]["scheme"] == "bearer"
