"""A service shows a token that it has signed itself; each route names the services that may call it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import path
from joserfc.jwk import ECKey
from prometheus_client import REGISTRY
from pydantic import SecretStr
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from ops.api.authentication import ServiceTokenAuthentication
from ops.api.permissions import IsService
from ops.identity import caller as caller_module
from ops.identity.caller import Callers, callers
from ops.identity.credentials import Caller, TokenRefused
from ops.identity.service_token import LIFETIME, ServiceToken, development_key
from ops.tests.clients import BROWSER, staff
from ops.tests.problem_shape import assert_problem
from ops.tests.service_tokens import claims_of, key_pair, service_token
from ops.tests.settings import PlainConfig
from ops.tests.urls import handler400, handler403, handler404, handler500
from ops.tests.urls import urlpatterns as plain

__all__ = ["handler400", "handler403", "handler404", "handler500"]

pytestmark = pytest.mark.urls(__name__)

RECEIVER = "plain-service"
REALM = 'Bearer realm="plain-service"'
SHARED = "shared-canary-0123456789"
NOW = 1_790_000_000


class ForServices(APIView):
    """A view for services."""

    authentication_classes = [ServiceTokenAuthentication]
    permission_classes = [IsService]
    callers = ("orders-service",)

    def put(self, request: Request) -> Response:
        assert isinstance(request.auth, Caller)
        return Response({"anonymous": request.user.is_anonymous, "caller": request.auth.service})


urlpatterns = [path("for-services", ForServices.as_view()), *plain]


@pytest.fixture(autouse=True)
def _callers_of_this_test() -> Iterator[None]:
    callers.cache_clear()
    yield
    callers.cache_clear()


@pytest.fixture
def sharing(settings: Any) -> None:
    """Configure SERVICE_TOKEN beside the keys."""
    settings.CONFIG = settings.CONFIG.model_copy(update={"service_token": SecretStr(SHARED)})


def put(client: APIClient, authorization: str | None = None, **headers: str) -> Any:
    if authorization is not None:
        headers["authorization"] = authorization
    return client.put("/for-services", {}, headers=headers)


def config(*keys: Any, **changed: Any) -> PlainConfig:
    """Return a configuration of production with these public keys."""
    texts = {name: SecretStr(text) for name, text in changed.items()}
    if keys:
        texts["service_keys"] = SecretStr(json.dumps({"keys": list(keys)}))
    return PlainConfig().model_copy(update={"django_env": "production", **texts})


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_service_that_the_route_names_is_allowed(client: APIClient, scheme: str) -> None:
    answer = put(client, f"{scheme} {service_token(RECEIVER)}")

    assert answer.status_code == 200
    assert answer.json() == {"anonymous": True, "caller": "orders-service"}  # and not the token itself


def test_another_service_is_known_and_yet_refused(client: APIClient) -> None:
    assert_problem(put(client, f"Bearer {service_token(RECEIVER, 'shop-service')}"), 403, "permission_denied")


@pytest.mark.usefixtures("sharing")
def test_the_shared_token_is_accepted_beside_signed_ones(client: APIClient) -> None:
    assert put(client, f"Bearer {SHARED}").json() == {"anonymous": True, "caller": None}
    assert put(client, f"Bearer {service_token(RECEIVER)}").status_code == 200
    for forged in (f"{SHARED}x", SHARED[:-1], SHARED.upper(), ""):
        assert_problem(put(client, f"Bearer {forged}"), 401, "invalid_token")


@pytest.mark.parametrize("authorization", [None, "", SHARED, f"Basic {SHARED}", f"Bearer{SHARED}"])
@pytest.mark.usefixtures("sharing")
def test_a_credential_of_another_kind_is_refused(client: APIClient, authorization: str | None) -> None:
    answer = put(client, authorization)

    problem = assert_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == REALM
    assert "service" in problem["detail"]
    assert "canary" not in str(answer.content) + str(answer.headers)


@pytest.mark.parametrize("token", ["canary", "", "None", "t\xf6k\xe9n", "\udcff", "?", f"{SHARED},{SHARED}"])
def test_a_wrong_token_is_refused_with_its_challenge_and_counted(client: APIClient, token: str) -> None:
    labels = {"outcome": "malformed"}
    before = REGISTRY.get_sample_value("service_tokens_total", labels) or 0

    answer = put(client, f"Bearer {token}")

    assert_problem(answer, 401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == f'{REALM}, error="invalid_token"'
    assert "canary" not in str(answer.content) + str(answer.headers)
    assert REGISTRY.get_sample_value("service_tokens_total", labels) == before + 1


@pytest.mark.django_db
def test_being_staff_is_no_token() -> None:
    assert_problem(put(staff()), 401, "not_authenticated")


def test_a_browser_is_refused_too(client: APIClient) -> None:
    answer = put(client, accept=BROWSER)

    assert answer.status_code == 401
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_method_that_is_not_there_is_not_allowed_to_any_client(client: APIClient) -> None:
    for method in ("POST", "EVIL"):
        assert_problem(client.generic(method, "/for-services"), 405, "method_not_allowed")


def test_the_document_says_that_it_is_for_services(client: APIClient) -> None:
    document = client.get("/openapi.json").json()

    operation = document["paths"]["/for-services"]["put"]
    assert operation["security"] == [{"serviceToken": []}]
    assert {"401", "403"} <= set(operation["responses"])
    scheme = document["components"]["securitySchemes"]["serviceToken"]
    assert (scheme["scheme"], scheme["bearerFormat"]) == ("bearer", "JWT")


def test_a_token_is_used_again_for_half_of_its_life() -> None:
    clock = Clock()
    token = ServiceToken(PlainConfig(), "products-service", clock)

    first = token()
    clock.now += LIFETIME / 2 - 0.1
    again = token()
    clock.now += 0.2
    later = token()
    clock.now -= 3600  # the clock was set back
    earlier = token()

    assert again == first
    assert len({first, later, earlier}) == 3
    assert claims_of(later, RECEIVER) == {
        "iss": RECEIVER,
        "sub": RECEIVER,
        "aud": "products-service",
        "iat": NOW + 30,
        "exp": NOW + 90,
    }


def test_the_shared_token_is_sent_while_it_is_set() -> None:
    pair = {name.lower(): text for name, text in key_pair(RECEIVER).items()}

    assert ServiceToken(config(**pair, service_token=SHARED), "products-service")() == SHARED
    assert claims_of(ServiceToken(config(**pair), "products-service")(), RECEIVER) == {}  # not of development's key


def test_a_valid_token_is_verified_once_and_remembered_no_longer_than_it_lives() -> None:
    key, clock = ECKey.generate_key("P-256", auto_kid=True), Clock()
    known = Callers(config(key.as_dict(private=False) | {"service": "orders-service"}), clock)
    token, unseen = (service_token(RECEIVER, key=key, iat=NOW, exp=NOW + life) for life in (LIFETIME, LIFETIME - 1))

    first = known.recognize(token)
    known._keys.clear()  # so that nothing can be verified any more

    assert first == known.recognize(token)
    with pytest.raises(TokenRefused, match="unknown_key"):
        known.recognize(unseen)
    clock.now += LIFETIME
    with pytest.raises(TokenRefused, match="unknown_key"):
        known.recognize(token)


def test_the_number_of_remembered_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller_module, "MOST_REMEMBERED", 3)
    known = Callers(PlainConfig(), Clock())

    for age in range(10):
        known.recognize(service_token(RECEIVER, iat=NOW - age, exp=NOW - age + LIFETIME))
        with pytest.raises(TokenRefused):
            known.recognize(f"forged-{age}")
        assert len(known._remembered) <= 3


def test_clocks_may_differ_by_half_a_minute() -> None:
    known = Callers(PlainConfig(), Clock())

    for iat in (NOW + 29, NOW - LIFETIME - 29):
        assert known.recognize(service_token(RECEIVER, iat=iat, exp=iat + LIFETIME)).service == "orders-service"
    for iat in (NOW + 32, NOW - LIFETIME - 31):
        with pytest.raises(TokenRefused):
            known.recognize(service_token(RECEIVER, iat=iat, exp=iat + LIFETIME))


def test_two_keys_of_a_service_are_valid_at_once_and_a_forgotten_one_is_not() -> None:
    old, new = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))
    public = [key.as_dict(private=False) | {"service": "orders-service"} for key in (old, new)]
    both, one = Callers(config(*public)), Callers(config(public[1]))

    for key in (old, new):
        assert both.recognize(service_token(RECEIVER, key=key)).service == "orders-service"
    assert one.recognize(service_token(RECEIVER, key=new)).service == "orders-service"
    with pytest.raises(TokenRefused, match="unknown_key"):
        one.recognize(service_token(RECEIVER, key=old))


def test_a_key_speaks_for_its_own_service_alone() -> None:
    key = ECKey.generate_key("P-256", auto_kid=True)
    known = Callers(config(key.as_dict(private=False) | {"service": "shop-service"}))

    with pytest.raises(TokenRefused, match="invalid_claim"):
        known.recognize(service_token(RECEIVER, key=key))


@pytest.mark.parametrize("shared", [{}, {"service_token": SHARED}])
def test_production_accepts_no_key_of_development(shared: dict[str, str]) -> None:
    known = Callers(config(**shared))

    with pytest.raises(TokenRefused, match="unknown_key"):
        known.recognize(service_token(RECEIVER))


def test_the_key_of_development_is_the_same_in_every_process() -> None:
    assert development_key("orders-service").thumbprint() == "7ThWhh1MIRVbXaNKMgMosthbI2oMIw8QPfT1GuDc8Jk"
