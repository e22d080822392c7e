"""The client of products. Only this module calls products.

Every outcome is a Product, a Reservation, ProductDoesNotExist or ProductsUnavailable.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Any, Literal, TypeVar
from uuid import UUID

from django.conf import settings

from ops.identity.service_token import ServiceToken
from ops.outbound.circuit_breaker import CircuitBreaker
from ops.outbound.client import Answer, HttpClient, InvalidAnswer, PeerUnavailable, Policy
from ops.outbound.retry_budget import RetryBudget
from ops.outbound.session import PeerSession
from orders_project.config import PRODUCTS, OrdersConfig
from orders_project.orders.errors import ProductDoesNotExist, ProductsUnavailable

T = TypeVar("T")

PEER = "products"
STOCK_HEADER = "Argos-Stock"
PROBLEM = "application/problem+json"
MAX_STOCK = 2**63  # the upper limit of a number of pieces


@dataclass(frozen=True)
class Product:
    """A product as products describes it."""

    id: int
    name: str
    is_tracked: bool = False  # it is sold through reservations


@dataclass(frozen=True)
class Reservation:
    """A reservation as products describes it; `tries` is the number of requests sent for it.

    `unknown` means that the reservation does not exist or, for a new one, the product. `foreign` means that the id has
    another product or quantity.
    """

    state: Literal["held", "cancelled", "out_of_stock", "unknown", "foreign"]
    available: int | None = None  # the stock if it is too small
    tries: int = 1


class ProductsClient:
    """The client of one products service. `token` returns what shows it that orders calls."""

    def __init__(self, base_url: str, client: HttpClient, token: Callable[[], str]) -> None:
        self._base_url = base_url
        self._client = client
        self._token = token

    @classmethod
    def from_config(cls, config: OrdersConfig) -> ProductsClient:
        """Return a client with the configured time limits, budget and breaker."""

        def seconds(value: float) -> timedelta:
            return timedelta(seconds=value)

        policy = Policy(
            connect_timeout=seconds(config.products_connect_timeout),
            try_timeout=seconds(config.products_try_timeout),
            deadline=seconds(config.products_deadline),
            max_tries=config.products_max_tries,
        )
        breaker = CircuitBreaker(
            PEER,
            failure_ratio=config.products_breaker_failure_ratio,
            min_calls=config.products_breaker_min_calls,
            window=seconds(config.products_breaker_window),
            open_for=seconds(config.products_breaker_open_for),
        )
        budget = RetryBudget(config.products_retry_budget)
        client = HttpClient(PEER, policy, breaker, budget, partial(PeerSession, config))
        return cls(config.products_service_url, client, ServiceToken(config, PRODUCTS))

    def fetch_product(self, product_id: int) -> Product:
        """Return the product; raise ProductDoesNotExist or ProductsUnavailable."""

        def read(answer: Answer) -> Product:
            if answer.status == 404 and _is_not_found(answer):
                raise ProductDoesNotExist
            if answer.status != 200:
                raise InvalidAnswer(f"answered {answer.status}")
            return _parse_product(answer, product_id)

        try:
            return self._client.request("GET", f"{self._base_url}/products/{product_id}", read)
        except PeerUnavailable as failure:
            raise ProductsUnavailable(retry_after=failure.retry_after) from failure

    def reserve(self, reservation_id: UUID, *, product_id: int, quantity: int) -> Reservation:
        """Reserve stock under this id, once for any number of calls. ProductsUnavailable leaves it unknown."""
        wanted = {"productId": product_id, "quantity": quantity}
        return self._ask_about("PUT", reservation_id, wanted, document=wanted)

    def find_reservation(self, reservation_id: UUID, *, product_id: int, quantity: int) -> Reservation:
        """Return the reservation of this id; raise ProductsUnavailable."""
        return self._ask_about("GET", reservation_id, {"productId": product_id, "quantity": quantity})

    def release(self, reservation_id: UUID) -> None:
        """Release this id, so that it can never be reserved again; raise ProductsUnavailable."""

        def read(answer: Answer) -> None:
            if answer.status != 204:
                raise InvalidAnswer(f"answered {answer.status}")

        self._send("DELETE", reservation_id, read)

    def _ask_about(
        self, method: str, reservation_id: UUID, wanted: dict[str, int], document: Any = None
    ) -> Reservation:
        def read(answer: Answer) -> Reservation:
            return _parse_reservation(answer, {"id": str(reservation_id), **wanted})

        return self._send(method, reservation_id, read, document)

    def _send(self, method: str, reservation_id: UUID, read: Callable[[Answer], T], document: Any = None) -> T:
        url = f"{self._base_url}/reservations/{reservation_id}"
        try:
            return self._client.request(method, url, read, document=document, token=self._token())
        except PeerUnavailable as failure:
            raise ProductsUnavailable(retry_after=failure.retry_after) from failure


def _parse_product(answer: Answer, product_id: int) -> Product:
    document = _object(answer)
    found, name = document.get("id"), document.get("name")
    if type(found) is not int or type(name) is not str:
        raise InvalidAnswer("answered something that is not a product")
    if "\0" in name or not _is_encodable(name):
        raise InvalidAnswer("answered a name that no database stores")
    if found != product_id:
        raise InvalidAnswer("answered another product")
    return Product(found, name, is_tracked=answer.headers.get(STOCK_HEADER) == "tracked")


def _is_not_found(answer: Answer) -> bool:
    """Tell whether products itself says so; a 404 of a proxy or of a wrong path says nothing about a product."""
    return answer.headers.get("Content-Type") == PROBLEM and _object(answer).get("code") == "not_found"


def _parse_reservation(answer: Answer, wanted: dict[str, Any]) -> Reservation:
    document = _object(answer)
    if not document:
        raise InvalidAnswer(f"answered {answer.status} without an object")
    if answer.status not in (200, 201):
        return _parse_refusal(answer, document)
    if document.get("id") == wanted["id"] and document.get("status") == "cancelled":
        return Reservation("cancelled", tries=answer.tries)  # it may never have been held
    shown = {name: document.get(name) for name in wanted}
    are_alike = all(type(shown[name]) is type(value) for name, value in wanted.items())
    if not are_alike or shown["id"] != wanted["id"] or document.get("status") != "held":
        raise InvalidAnswer("answered something that is not this reservation")
    return Reservation("held" if shown == wanted else "foreign", tries=answer.tries)


def _parse_refusal(answer: Answer, problem: dict[str, Any]) -> Reservation:
    match answer.status, problem.get("code"):
        case 404, "not_found":
            return Reservation("unknown", tries=answer.tries)
        case 409, "reservation_cancelled":
            return Reservation("cancelled", tries=answer.tries)
        case 409, "out_of_stock":
            available = problem.get("available")
            if type(available) is not int or not 0 <= available < MAX_STOCK:
                raise InvalidAnswer("answered out_of_stock without what is left")
            return Reservation("out_of_stock", available, tries=answer.tries)
        case 422, "reservation_reused":
            return Reservation("foreign", tries=answer.tries)
    raise InvalidAnswer(f"answered {answer.status}")


def _object(answer: Answer) -> dict[str, Any]:
    """Return the JSON object in the body; an empty one where it holds anything else."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


@cache
def products_client() -> ProductsClient:
    """Return this process's client."""
    return ProductsClient.from_config(settings.CONFIG)
