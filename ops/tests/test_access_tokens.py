"""A client shows an access token of the configured issuer; its scopes open operations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.urls import path
from joserfc.jwk import KeySet, OctKey, RSAKey
from prometheus_client import REGISTRY
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from ops.api.permissions import HasScope
from ops.identity.public_keys import public_keys
from ops.tests.clients import BROWSER, customer, staff
from ops.tests.issuer import NAME, Issuer
from ops.tests.peers import refused
from ops.tests.problem_shape import assert_problem
from ops.tests.urls import handler400, handler403, handler404, handler500
from ops.tests.urls import urlpatterns as plain

__all__ = ["handler400", "handler403", "handler404", "handler500"]

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

REALM = 'Bearer realm="plain-service"'


class Things(APIView):
    """A view that every client reads and clients with a scope write."""

    def get_permissions(self) -> list[Any]:
        reading = HasScope("things:read", "things:write", anonymous=True)
        return [reading if self.request.method == "GET" else HasScope("things:write")]

    def get(self, request: Request) -> Response:
        return Response({"subject": getattr(request.auth, "subject", None)})

    put = get


urlpatterns = [path("things", Things.as_view()), *plain]


@pytest.fixture
def issuer(settings: Any, tmp_path: Path) -> Issuer:
    """Configure an issuer by a file of its keys."""
    made = Issuer("plain-service")
    made.keys += [RSAKey.generate_key(2048, auto_kid=True), made.keys[0]]
    keys = tmp_path / "keys.json"
    keys.write_text(made.key_set())
    configure(settings, str(keys))
    return made


def configure(settings: Any, keys: str) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"jwt_issuer": NAME, "jwt_keys": keys})
    public_keys.cache_clear()


def send(token: str | None = None, method: str = "PUT", client: APIClient | None = None, **headers: str) -> Any:
    client = client or APIClient(raise_request_exception=False)
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return client.generic(method, "/things", headers=headers)


@pytest.mark.parametrize("scope", ["things:write", "things:read things:write"])
def test_a_token_with_the_scope_opens_the_operation(issuer: Issuer, scope: str) -> None:
    answer = send(issuer.token(scope=scope))

    assert (answer.status_code, answer.json()) == (200, {"subject": "shop"})


def test_both_keys_of_the_issuer_are_valid_at_once(issuer: Issuer) -> None:
    for key in issuer.keys:
        assert send(issuer.token(key=key, scope="things:write")).status_code == 200


def test_an_audience_among_others_is_enough(issuer: Issuer) -> None:
    assert send(issuer.token(aud=["another", "plain-service"], scope="things:write")).status_code == 200


@pytest.mark.parametrize("scope", [None, "", "things:read", "things:writes", "THINGS:WRITE"])
def test_without_the_scope_it_is_refused_with_the_name_of_the_scope(issuer: Issuer, scope: str | None) -> None:
    answer = send(issuer.token(scope=scope))

    problem = assert_problem(answer, 403, "insufficient_scope")
    assert "things:write" in problem["detail"]
    assert answer.headers["WWW-Authenticate"] == f'{REALM}, error="insufficient_scope", scope="things:write"'


def test_without_a_token_the_challenge_names_no_error(issuer: Issuer) -> None:
    answer = send()

    assert_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == REALM


def test_an_open_operation_needs_no_token_but_judges_the_one_it_is_shown(issuer: Issuer) -> None:
    assert send(method="GET").json() == {"subject": None}
    assert send(issuer.token(scope="things:read"), "GET").json() == {"subject": "shop"}
    assert_problem(send(issuer.token(), "GET"), 403, "insufficient_scope")
    assert_problem(send("forged", "GET"), 401, "invalid_token")


FOREIGN = ["Basic c2hvcDpzaG9w", "", " ", "forged", "Bearerforged", "Token forged"]


@pytest.mark.parametrize("authorization", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_credential_of_another_kind_opens_nothing(issuer: Issuer, method: str, authorization: str) -> None:
    answer = send(method=method, authorization=authorization)

    assert_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == REALM
    assert send(method=method, client=staff(), authorization=authorization).status_code == 200
    assert_problem(send(method="DELETE", authorization=authorization), 405, "method_not_allowed")


@pytest.mark.parametrize("space", [" ", "\t", "  ", " \t "])
def test_any_white_space_may_follow_the_scheme(issuer: Issuer, space: str) -> None:
    valid = issuer.token(scope="things:read")

    assert send(method="GET", authorization=f"bearer{space}{valid}").json() == {"subject": "shop"}
    assert_problem(send(method="GET", authorization=f"Bearer{space}forged"), 401, "invalid_token")
    assert_problem(send(method="GET", authorization=f"Bearer{space}"), 401, "invalid_token")


def test_a_lacking_scope_is_named_alone_where_either_suffices(issuer: Issuer) -> None:
    answer = send(issuer.token(), "GET")

    assert answer.headers["WWW-Authenticate"] == f'{REALM}, error="insufficient_scope", scope="things:read"'


@pytest.mark.parametrize("accept", ["*/*", BROWSER])
def test_a_refused_token_is_counted_and_its_reason_is_not_shown(issuer: Issuer, accept: str) -> None:
    before = REGISTRY.get_sample_value("access_tokens_total", {"outcome": "expired_token"}) or 0

    answer = send(issuer.token(exp=1, sub="canary"), accept=accept)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'{REALM}, error="invalid_token"'
    assert "canary" not in answer.content.decode()
    assert REGISTRY.get_sample_value("access_tokens_total", {"outcome": "expired_token"}) == before + 1


def test_staff_need_no_token_and_other_users_do(issuer: Issuer) -> None:
    assert send(client=staff()).status_code == 200
    assert_problem(send(client=customer()), 403, "permission_denied")


def test_a_token_counts_before_a_session(issuer: Issuer) -> None:
    assert_problem(send(issuer.token(), client=staff()), 403, "insufficient_scope")


def test_a_method_that_is_not_there_is_not_allowed_to_any_client(issuer: Issuer) -> None:
    assert_problem(send(issuer.token(), "DELETE"), 405, "method_not_allowed")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_while_the_keys_were_never_read_a_token_can_be_neither_accepted_nor_refused(settings, method: str) -> None:
    configure(settings, refused())

    answer = send(Issuer("plain-service").token(scope="things:write"), method)

    assert_problem(answer, 503, "issuer_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert send(method="GET").status_code == 200


def test_a_published_shared_secret_opens_nothing(settings: Any, tmp_path: Path) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared"})
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(KeySet([secret]).as_dict(private=True)))
    configure(settings, str(keys))

    token = Issuer("plain-service").token(key=secret, header={"alg": "HS256"}, scope="things:write")

    assert_problem(send(token), 401, "invalid_token")


def test_the_document_names_the_scopes(client: APIClient) -> None:
    document = client.get("/openapi.json").json()

    put, get = (document["paths"]["/things"][method] for method in ("put", "get"))
    assert put["security"] == [{"accessToken": ["things:write"]}, {"cookieAuth": []}]
    assert get["security"] == [{"accessToken": ["things:read"]}, {"accessToken": ["things:write"]}, {}]
    assert {"401", "403"} <= set(put["responses"]) & set(get["responses"])
    scheme = document["components"]["securitySchemes"]["accessToken"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    assert "`things:write`: change things" in scheme["description"]
