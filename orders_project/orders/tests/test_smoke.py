"""smoke reports the broken promise with expected and actual result; tests/test_smoke.py runs it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ops.tests.peers import refused, silent
from ops.tests.run_command import run
from orders_project.orders.management.commands.smoke import Command
from orders_project.orders.tests.scripted_stack import CONTRACT, Said, ScriptedStack, problem, scripted_stack, trace

EVERY_STEP = [
    *("products.health", "orders.health", "products.readiness", "orders.readiness"),
    *("products.contract", "orders.contract", "products.product", "orders.counter", "orders.order"),
    *("orders.error", "orders.unknown_product", "orders.counter_moved", "jaeger.trace"),
]
ORDER = {"id": 5, "productId": 1, "quantity": 1, "status": "confirmed", "createdAt": "2026-11-20T09:30:00Z"}
PLACED = {"Location": "/orders/5"}
SHORT = 0.3  # seconds to wait for an effect that the test suppresses


@pytest.fixture
def stack() -> Iterator[ScriptedStack]:
    with scripted_stack() as running:
        yield running


def smoke(stack: ScriptedStack, *options: str) -> tuple[object, str, str]:
    return run(Command(), "--products", stack.url, "--orders", stack.url, *options)


def smoke_json(stack: ScriptedStack, *options: str) -> tuple[object, dict[str, Any]]:
    code, output, _ = smoke(stack, "--json", *options)
    return code, json.loads(output)


def test_a_stack_that_keeps_its_promises_is_one_line_a_step_and_a_sentence(stack: ScriptedStack) -> None:
    code, output, _ = smoke(stack, "--jaeger", stack.url)

    *lines, sentence = output.splitlines()
    assert code == 0
    assert [line.split()[:2] for line in lines] == [["kept", step] for step in EVERY_STEP]
    assert all(line.endswith(" ms") for line in lines)
    assert sentence == "All 13 promises were kept."
    assert stack.asked.count("POST /orders") == 1


def test_json_says_the_same(stack: ScriptedStack) -> None:
    code, report = smoke_json(stack)

    assert code == 0
    assert report["counts"] == {"kept": 12, "broken": 0, "not_tried": 0}
    assert [(step["step"], step["outcome"]) for step in report["steps"]] == [(step, "kept") for step in EVERY_STEP[:-1]]


def test_with_prometheus_the_counter_is_asked_for_there(stack: ScriptedStack) -> None:
    code, report = smoke_json(stack, "--prometheus", stack.url)

    assert code == 0
    assert report["steps"][-1]["step"] == "prometheus.counter"
    assert "GET /metrics" not in stack.asked
    assert stack.asked.count("GET /api/v1/query") == 2


@pytest.mark.parametrize(
    ("asked", "said", "step", "expected"),
    [
        ("GET /healthz", Said(b"OK", 503), "products.health", "200 OK of /healthz"),
        ("GET /healthz", Said(b"<html>"), "products.health", "200 OK of /healthz"),
        ("GET /readyz", Said({"probes": {"database": "down"}}, 503), "products.readiness", "200 of /readyz"),
        ("GET /openapi.json", Said(b"{"), "products.contract", "200 and an OpenAPI document"),
        ("GET /openapi.json", Said(CONTRACT | {"openapi": "3.0.3"}), "products.contract", "OpenAPI 3.1"),
        (
            "GET /openapi.json",
            Said(CONTRACT | {"paths": {"/products": {"get": {}}}}),
            "products.contract",
            "GET /products/{product_id} in the OpenAPI document",
        ),
        ("GET /openapi.json", Said({"openapi": "3.1.0"}), "products.contract", "GET /products in the OpenAPI document"),
        ("GET /products/1", Said({"id": 1, "name": "x", "price": 1}), "products.product", "these two members alone"),
        ("GET /products/1", Said({"id": 2, "name": "x"}), "products.product", "these two members alone"),
        ("GET /products/1", Said({}, 404), "products.product", "these two members alone"),
        ("GET /metrics", Said(b"# nothing"), "orders.counter", "orders_created_total in /metrics"),
        ("GET /metrics", Said(b"{{", 200), "orders.counter", "orders_created_total in /metrics"),
        ("POST /orders", Said(ORDER, 200), "orders.order", "201 and a confirmed order"),
        ("POST /orders", Said(ORDER | {"quantity": 2}, 201), "orders.order", "201 and a confirmed order"),
        ("POST /orders", Said(ORDER | {"createdAt": "today"}, 201), "orders.order", "201 and a confirmed order"),
        ("POST /orders", Said([ORDER], 201), "orders.order", "201 and a confirmed order"),
        ("POST /orders", Said(ORDER, 201), "orders.order", "a Location that ends with /orders/5"),
        ("POST /orders invalid", Said({"code": "validation_error"}, 400), "orders.error", "400 application/problem"),
        ("POST /orders invalid", Said({}, 500), "orders.error", "400 application/problem"),
        (
            "POST /orders invalid",
            Said({"code": "validation_error"}, 400, "application/problem+json"),
            "orders.error",
            "the members code, detail, requestId",
        ),
        ("POST /orders invalid", problem("parse_error", None, "r"), "orders.error", "the code validation_error"),
        ("POST /orders invalid", problem("validation_error", None, "r"), "orders.error", "the requestId that was sent"),
        (
            "POST /orders unknown",
            problem("products_unavailable", None, "r"),
            "orders.unknown_product",
            "the code product_does_not_exist",
        ),
        ("POST /orders unknown", Said(ORDER, 201), "orders.unknown_product", "400 application/problem"),
    ],
)
def test_a_broken_promise_is_named_and_nothing_after_it_is_tried(
    stack: ScriptedStack, asked: str, said: Said, step: str, expected: str
) -> None:
    stack.instead[asked] = said

    code, report = smoke_json(stack, "--wait", str(SHORT))

    place = EVERY_STEP.index(step)
    assert code == 1
    outcomes = [found["outcome"] for found in report["steps"]]
    assert outcomes == ["kept"] * place + ["broken"] + ["not tried"] * (len(outcomes) - place - 1)
    assert expected in report["steps"][place]["expected"]
    assert report["problems"] == [
        f"{step}: expected {report['steps'][place]['expected']}, found {report['steps'][place]['found']}"
    ]


def send_problems_with(stack: ScriptedStack, monkeypatch: pytest.MonkeyPatch, **members: Any) -> None:
    keeps = stack.answer

    def answer(name: str, headers: dict[str, str], body: bytes) -> Said:
        said = keeps(name, headers, body)
        if said.status == 400:
            said.document |= members
        return said

    monkeypatch.setattr(stack, "answer", answer)


def test_without_tracing_a_problem_may_have_no_trace(stack: ScriptedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    send_problems_with(stack, monkeypatch, traceId=None)

    assert smoke(stack)[0] == 0


@pytest.mark.parametrize(
    ("invalid", "options", "expected"),
    [
        ({"errors": [{"field": "productId"}]}, [], "errors that name the field quantity"),
        ({"traceId": "f" * 32}, [], "the traceId that was sent"),
        ({"traceId": None}, ["--jaeger", "http://127.0.0.1:1"], "the traceId that was sent"),
    ],
)
def test_a_problem_is_about_what_was_sent(
    stack: ScriptedStack, monkeypatch: pytest.MonkeyPatch, invalid: dict[str, Any], options: list[str], expected: str
) -> None:
    send_problems_with(stack, monkeypatch, **invalid)

    code, report = smoke_json(stack, *options)

    assert code == 1
    assert report["problems"][0].startswith(f"orders.error: expected {expected}")


def test_a_counter_that_does_not_move_is_waited_for_and_then_named(stack: ScriptedStack) -> None:
    stack.instead["GET /metrics"] = Said(b"# TYPE orders_created_total counter\norders_created_total 7\n")

    code, report = smoke_json(stack, "--wait", str(SHORT))

    assert code == 1
    assert report["problems"] == ["orders.counter_moved: expected within 0.3 s orders_created_total above 7, found 7"]
    assert report["steps"][-1]["seconds"] >= SHORT


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said({"data": None, "errors": [{"code": 404, "msg": "trace not found"}]}, 404), "trace "),
        (trace("orders-service"), "spans of orders-service and products-service, found those of orders-service"),
    ],
)
def test_a_trace_that_is_not_whole_is_waited_for_and_then_named(
    stack: ScriptedStack, monkeypatch: pytest.MonkeyPatch, said: Said, expected: str
) -> None:
    keeps = stack.answer
    monkeypatch.setattr(
        stack, "answer", lambda name, *rest: said if name.startswith("GET /api/traces/") else keeps(name, *rest)
    )

    code, report = smoke_json(stack, "--jaeger", stack.url, "--wait", str(SHORT))

    assert code == 1
    assert report["problems"][0].startswith(f"jaeger.trace: expected within 0.3 s {expected}")


def test_a_prometheus_that_knows_nothing_of_orders_is_named(stack: ScriptedStack) -> None:
    stack.instead["GET /api/v1/query"] = Said({"data": {"result": []}})

    code, report = smoke_json(stack, "--prometheus", stack.url, "--wait", str(SHORT))

    assert code == 1
    assert report["problems"][0].startswith("orders.counter: expected within 0.3 s orders_created_total in Prometheus")
    assert "POST /orders" not in stack.asked


def test_a_service_that_refuses_is_named_in_one_sentence(stack: ScriptedStack) -> None:
    url = refused()

    code, output, errors = run(Command(), "--products", stack.url, "--orders", url)

    assert code == 1
    assert errors.splitlines()[-1] == (
        "1 of 12 promises were kept, 10 not tried. "
        f"orders.health: expected an answer of {url}/healthz within 5 s, found Connection refused"
    )
    assert [line.split()[0] for line in output.splitlines()] == ["kept", "broken", *["not"] * 10]


def test_a_service_that_is_silent_is_given_up_at_the_deadline(stack: ScriptedStack) -> None:
    started = time.monotonic()
    with silent() as url:
        code, _, errors = run(Command(), "--products", url, "--orders", stack.url, "--timeout", "0.3")

    assert code == 1
    assert "within 0.3 s, found no answer in time" in errors
    assert time.monotonic() - started < 5


def test_an_answer_that_does_not_end_is_given_up(stack: ScriptedStack) -> None:
    stack.instead["GET /healthz"] = Said(b"x" * 11_000_000)

    code, report = smoke_json(stack)

    assert code == 1
    assert "more than 10000000 bytes" in report["problems"][0]


def test_a_signal_ends_the_wait_and_says_so(stack: ScriptedStack) -> None:
    stack.instead["GET /metrics"] = Said(b"# TYPE orders_created_total counter\norders_created_total 7\n")

    def interrupt() -> None:
        while stack.asked.count("GET /metrics") < 3:  # it waits for the counter to move
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    code, report = smoke_json(stack, "--wait", "60")
    thread.join()

    assert code == 1
    assert report["problems"] == ["stopped by a signal"]
    assert report["counts"] == {"kept": 11, "broken": 0, "not_tried": 1}


@pytest.mark.parametrize(
    "options",
    [
        ["--products", "ftp://x", "--orders", "http://x"],
        ["--products", "http://me:word@x", "--orders", "http://x"],
        ["--products", "http://x", "--orders", "http://x", "--timeout", "0"],
        ["--products", "http://x", "--orders", "http://x", "--wait", "nan"],
        ["--products", "http://x"],
    ],
)
def test_wrong_usage_ends_with_2(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(["manage.py", "smoke", *options])

    assert ended.value.code == 2
    assert "word@" not in capsys.readouterr().err
