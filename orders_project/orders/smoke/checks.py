"""The checks of a smoke test, in their order, up to the first that fails."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families

from ops.cli.command import Stopped
from orders_project.orders.smoke.http_probe import Answer, CheckFailed, HttpProbe

UNKNOWN = 2**31 - 1  # a valid id without a product
COUNTER = "orders_created_total"
SERVICES = {"orders-service", "products-service"}
PATHS = {
    "products": {"/products": "get", "/products/{product_id}": "get"},
    "orders": {"/orders": "post", "/orders/{order_id}": "get"},
}
PROBLEM = {"type", "title", "status", "detail", "code", "traceId", "requestId"}
KEEP = "argos=keep"  # jaeger/config.yaml keeps each trace that carries it, whatever TRACES_KEPT_PERCENT says
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

Step = tuple[str, Callable[[], None]]  # its name, and the function that checks; it raises CheckFailed


@dataclass
class SmokeChecks:
    """The promises of both services to their clients, and of Prometheus and Jaeger if given."""

    probe: HttpProbe
    products: str
    orders: str
    prometheus: str | None
    jaeger: str | None
    product_id: int
    token: str = ""
    trace_id: str = ""
    orders_before: float = 0.0

    def steps(self) -> Iterator[Step]:
        """Yield each step once; a later step depends on the earlier ones."""
        services = {"products": self.products, "orders": self.orders}
        for what, look in (("health", self._health), ("readiness", self._readiness)):
            yield from ((f"{name}.{what}", partial(look, url)) for name, url in services.items())
        yield from ((f"{name}.contract", partial(self._contract, url, PATHS[name])) for name, url in services.items())
        yield "products.product", self._product
        yield "orders.counter", self._counter_is_there
        yield "orders.order", self._order
        yield "orders.error", self._error
        yield "orders.unknown_product", self._unknown_product
        yield ("prometheus.counter" if self.prometheus else "orders.counter_moved"), self._counter_moves
        if self.jaeger:
            yield "jaeger.trace", self._trace

    def _health(self, url: str) -> None:
        answer = self.probe.request("GET", f"{url}/healthz")
        answer.expect(answer.status == 200 and answer.body == b"OK", "200 OK of /healthz")

    def _readiness(self, url: str) -> None:
        answer = self.probe.request("GET", f"{url}/readyz")
        answer.expect(answer.status == 200, "200 of /readyz")

    def _contract(self, url: str, paths: dict[str, str]) -> None:
        answer = self.probe.request("GET", f"{url}/openapi.json")
        document = answer.document()
        answer.expect(answer.status == 200 and isinstance(document, dict), "200 and an OpenAPI document")
        version = str(document.get("openapi"))
        if not version.startswith("3.1."):
            raise CheckFailed("OpenAPI 3.1", f"openapi: {version}")
        described = document.get("paths")
        for path, method in paths.items():
            if not isinstance(described, dict) or method not in (described.get(path) or {}):
                raise CheckFailed(
                    f"{method.upper()} {path} in the OpenAPI document", f"only {', '.join(described or ())}"
                )

    def _product(self) -> None:
        answer = self.probe.request("GET", f"{self.products}/products/{self.product_id}")
        product = answer.document()
        expected = f'200 and {{"id": {self.product_id}, "name": …}}, these two members alone'
        answer.expect(answer.status == 200 and isinstance(product, dict) and set(product) == {"id", "name"}, expected)
        answer.expect(product["id"] == self.product_id and isinstance(product["name"], str), expected)

    def _counter_is_there(self) -> None:
        """Remember the counter before the order; Prometheus may have yet to scrape it for the first time."""

        def look() -> None:
            self.orders_before = self._orders_created()

        self.probe.wait_for(look)

    def _order(self) -> None:
        self.trace_id = uuid4().hex
        wanted = {"productId": self.product_id, "quantity": 1}
        answer = self._post(wanted, trace_id=self.trace_id)
        order = answer.document()
        answer.expect(
            answer.status == 201
            and isinstance(order, dict)
            and set(order) == {"id", "productId", "quantity", "status", "createdAt"}
            and type(order["id"]) is int
            and {name: order[name] for name in wanted} == wanted
            and order["status"] == "confirmed"
            and TIMESTAMP.fullmatch(str(order["createdAt"])),
            f"201 and a confirmed order of one of product {self.product_id}",
        )
        location = answer.headers.get("Location", "")
        if not location.endswith(f"/orders/{order['id']}"):
            raise CheckFailed(f"a Location that ends with /orders/{order['id']}", location or "none")

    def _error(self) -> None:
        answer = self._refused({"productId": self.product_id, "quantity": 0}, "validation_error")
        fields = [error.get("field") for error in answer.document().get("errors", [])]
        answer.expect(fields == ["quantity"], "errors that name the field quantity")

    def _unknown_product(self) -> None:
        self._refused({"productId": UNKNOWN, "quantity": 1}, "product_does_not_exist")

    def _refused(self, body: dict[str, int], code: str) -> Answer:
        """Send an invalid order; return the problem, which must carry the ids of the request."""
        trace_id, request_id = uuid4().hex, uuid4().hex
        answer = self._post(body, trace_id=trace_id, request_id=request_id)
        problem = answer.document()
        is_problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
        answer.expect(answer.status == 400 and is_problem and isinstance(problem, dict), "400 application/problem+json")
        answer.expect(set(problem) >= PROBLEM, f"the members {', '.join(sorted(PROBLEM))}")
        answer.expect((problem["status"], problem["code"]) == (400, code), f"the code {code}")
        answer.expect(problem["requestId"] == request_id, f"the requestId that was sent, {request_id}")
        # Without tracing a service takes no part in the trace, and says so.
        is_ours = problem["traceId"] == trace_id or (problem["traceId"] is None and not self.jaeger)
        answer.expect(is_ours, f"the traceId that was sent, {trace_id}")
        return answer

    def _counter_moves(self) -> None:
        def look() -> None:
            now = self._orders_created()
            if now <= self.orders_before:
                raise CheckFailed(f"{COUNTER} above {self.orders_before:g}", f"{now:g}")

        self.probe.wait_for(look)

    def _orders_created(self) -> float:
        if self.prometheus:
            answer = self.probe.request("GET", f"{self.prometheus}/api/v1/query", query=f"sum({COUNTER})")
            try:
                return float(answer.document()["data"]["result"][0]["value"][1])
            except (TypeError, KeyError, IndexError, ValueError):
                raise CheckFailed(f"{COUNTER} in Prometheus", str(answer)) from None
        answer = self.probe.request("GET", f"{self.orders}/metrics")
        try:
            families = list(text_string_to_metric_families(answer.body.decode()))
        except ValueError:
            families = []
        found = [sample.value for family in families for sample in family.samples if sample.name == COUNTER]
        answer.expect(answer.status == 200 and found, f"{COUNTER} in /metrics")
        return sum(found)

    def _trace(self) -> None:
        def look() -> None:
            answer = self.probe.request("GET", f"{self.jaeger}/api/traces/{self.trace_id}")
            try:
                (trace,) = answer.document()["data"]
                found = {trace["processes"][span["processID"]]["serviceName"] for span in trace["spans"]}
            except (TypeError, KeyError, ValueError):
                raise CheckFailed(f"trace {self.trace_id} in Jaeger", str(answer)) from None
            if not found >= SERVICES:
                raise CheckFailed(f"spans of {' and '.join(sorted(SERVICES))}", f"those of {', '.join(sorted(found))}")

        self.probe.wait_for(look)

    def _post(self, body: dict[str, int], *, trace_id: str, request_id: str = "") -> Answer:
        headers = {
            "traceparent": f"00-{trace_id}-{uuid4().hex[:16]}-01",
            "tracestate": KEEP,
            "X-Request-ID": request_id or uuid4().hex,
        }
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return self.probe.request("POST", f"{self.orders}/orders", body=body, headers=headers)


@dataclass(frozen=True)
class CheckResult:
    """How one step ended."""

    step: str
    outcome: Literal["kept", "broken", "not tried"]
    seconds: float | None = None
    expected: str | None = None
    found: str | None = None

    def __str__(self) -> str:
        took = "" if self.seconds is None else f"{self.seconds * 1000:7.0f} ms"
        return f"{self.outcome:9}  {self.step:24}{took}".rstrip()


def run_checks(steps: Iterable[Step], *, is_stopping: Callable[[], bool]) -> Iterator[CheckResult]:
    """Yield each step's result at once; after a failure the other steps are not tried."""
    goes_on = True
    for step, attempt in steps:
        goes_on = goes_on and not is_stopping()
        result = _try(step, attempt) if goes_on else CheckResult(step, "not tried")
        goes_on = result.outcome == "kept"
        yield result


def _try(step: str, attempt: Callable[[], None]) -> CheckResult:
    started = time.monotonic()
    try:
        attempt()
    except CheckFailed as failure:
        return CheckResult(step, "broken", round(time.monotonic() - started, 3), failure.expected, failure.found)
    except Stopped:
        return CheckResult(step, "not tried")
    return CheckResult(step, "kept", round(time.monotonic() - started, 3))
