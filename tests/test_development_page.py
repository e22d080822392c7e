"""/dev in development shows what both services and all their workers did; production has no such page."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
import requests

from ops.tests.service_tokens import key_pair
from tests.processes import ROOT, SECRET_KEY, Stack, clean_environment, manage, running_stack

WORKERS = 2
PROGRAM = """
import sys
from importlib import import_module
from django.urls import is_valid_path
import_module(sys.argv[1] + ".wsgi")
print(is_valid_path("/dev"), [name for name in sys.modules if name.startswith("ops.development")])
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    recording = str(directory / "recording.sqlite3")
    dead = "http://127.0.0.1:9"  # a proxy for other machines, which is not asked for this one
    with running_stack(
        directory, DEVELOPMENT_RECORDING=recording, WEB_CONCURRENCY=str(WORKERS), http_proxy=dead
    ) as running:
        yield running


def page_with(url: str, *words: str) -> str:
    """Return the page once it has all of these words; what is recorded arrives a moment later."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        text = requests.get(url, timeout=30).text
        if all(word in text for word in words):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{url} did not show {words}: {text}")


def test_an_order_is_one_trace_on_the_pages_of_both_services(stack: Stack) -> None:
    refused = stack.place_order(product_id=999_999).json()

    for service in (stack.orders, stack.products):
        page = page_with(
            f"{service.url}/dev/traces/{refused['traceId']}",
            "GET /products/999999 → 404",
            "POST /orders → 400",
            "code=product_does_not_exist",
            "GET /products/&lt;int:product_id&gt;",
            "SELECT",
            "(failed)",
            refused["requestId"],
        )
        assert page.count("<b>request.finished</b>") == 2


def test_an_order_is_found_by_its_id(stack: Stack) -> None:
    order = stack.place_order().json()

    page_with(f"{stack.products.url}/dev?search={order['id']}", f"order_id={order['id']} ", "POST /orders → 201")


def arrows_of(page: str) -> dict[str, list[str]]:
    """Return the calls, the errors and the 95th percentile of each arrow, as a screen reader tells it."""
    table = ElementTree.fromstring(re.findall("<table>.*?</table>", page, re.DOTALL)[0])
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    assert rows[0] == ["Caller and callee", "Calls", "Errors", "p95"]
    return {row[0]: row[1:] for row in rows[1:]}


def test_the_page_shows_who_calls_whom(stack: Stack) -> None:
    for product in (1, 999_999):
        stack.place_order(product_id=product)
    relay = {**stack.orders.env, "EVENTS_URL": f"{stack.products.url}/events"}
    assert manage("orders_project", "relay_events", "--once", env=relay).returncode == 0

    words = ("clients", "relay of orders-service", "database of orders-service", "database of products-service")
    found = arrows_of(page_with(f"{stack.products.url}/dev", "<b>products-service</b>", *words))

    assert list(found) == [
        "clients → orders-service",
        "orders-service → products-service",
        "relay of orders-service → products-service",
        "orders-service → database of orders-service",
        "products-service → database of products-service",
    ]
    calls, errors, p95 = found["orders-service → products-service"]
    assert int(calls) >= 2
    assert int(errors) >= 1  # 404
    assert re.fullmatch(r"\d+\.\d ms", p95)
    assert found["orders-service → database of orders-service"][1] == "0"


def test_requests_of_every_worker_are_on_the_page(stack: Stack) -> None:
    traces = [stack.place_order(quantity=-1).json()["traceId"] for _ in range(20)]

    page_with(
        f"{stack.orders.url}/dev", *traces, "http_requests_total{method=&quot;POST&quot;, route=&quot;/orders&quot;"
    )
    page_with(f"{stack.products.url}/dev", *traces, "outbox_events_pending", f":{stack.orders.port}/docs")


def test_a_command_is_on_the_page(stack: Stack) -> None:
    assert manage("products_project", "set_stock", "2", "100", env=stack.products.env).returncode == 0

    page_with(f"{stack.orders.url}/dev", "manage.py set_stock")


@pytest.mark.parametrize("harm", ["deleted", "damaged"])
def test_both_services_are_on_the_page_again_after_the_file_was(stack: Stack, harm: str) -> None:
    recording = Path(stack.orders.env["DEVELOPMENT_RECORDING"])
    page_with(f"{stack.orders.url}/dev", "<b>products-service</b>", "<b>orders-service</b>")
    for path in recording.parent.glob(f"{recording.name}*"):
        if harm == "damaged" and path == recording:
            path.write_bytes(b"x" * 10_000)
        else:
            path.unlink(missing_ok=True)

    for service in (stack.orders, stack.products):
        page_with(f"{service.url}/dev", "<b>products-service</b>", "<b>orders-service</b>")


@pytest.mark.parametrize("project", ["products_project", "orders_project"])
def test_production_has_no_route_and_loads_none_of_it(tmp_path: Path, project: str) -> None:
    production = {
        "DJANGO_ENV": "production",
        "SECRET_KEY": SECRET_KEY,
        **key_pair(project.replace("_project", "-service")),
        "ALLOWED_HOSTS": "shop.example",
        "DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3",
        "JAEGER_ENDPOINT": "http://127.0.0.1:1/v1/traces",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, project],
        cwd=ROOT,
        env=clean_environment(production),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "False []"), done.stderr
