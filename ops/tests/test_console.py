"""The console log is one short line for a person; colours are where they are seen."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from ops.config.service import ROOT
from ops.telemetry.console import ConsoleRenderer, has_colours

REQUEST = {
    "timestamp": "2026-11-28T07:12:01.123456Z",
    "level": "info",
    "event": "request.finished",
    "service": "orders-service",
    "version": "v1",
    "environment": "development",
    "request_id": "r1",
    "trace_id": "a" * 32,
    "span_id": "b" * 16,
    "method": "POST",
    "route": "/orders",
    "path": "/orders",
    "status": 201,
    "duration_ms": 12.345,
    "client": "127.0.0.1",
}


def line(event: dict[str, object], *, colours: bool = False, every_field: bool = False) -> str:
    return ConsoleRenderer(colours=colours, every_field=every_field)(None, "info", dict(event))


def test_a_request_is_time_level_service_method_path_status_duration_and_id() -> None:
    assert line(REQUEST) == "07:12:01 info     orders POST /orders 201 12.345 ms r1"


def test_what_a_refusal_adds_stands_behind() -> None:
    shown = line(REQUEST | {"status": 409, "code": "out_of_stock"})

    assert shown == "07:12:01 info     orders POST /orders 409 12.345 ms r1 code=out_of_stock"


def test_every_field_is_shown_on_demand() -> None:
    shown = line(REQUEST, every_field=True)

    assert all(f"{name}=" in shown for name in ("version", "environment", "trace_id", "span_id", "route", "client"))


def test_another_event_keeps_its_fields_in_their_order() -> None:
    shown = line({"timestamp": "2026-11-28T07:12:01Z", "level": "warning", "event": "a.b", "z": 1, "a": "x y"})

    assert shown == "07:12:01 warning  a.b z=1 a=x y"


def test_an_exception_stands_below() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        shown = line(REQUEST | {"exc_info": error})

    assert shown.splitlines()[1] == "Traceback (most recent call last):"
    assert shown.endswith("ValueError: broken")


def test_a_path_can_do_nothing_to_a_terminal() -> None:
    shown = line(REQUEST | {"path": "/\x1b[2J\r\n"})

    assert shown.isprintable()
    assert "/\\x1b[2J\\r\\n" in shown


def test_the_level_has_a_colour_and_nothing_else() -> None:
    assert line(REQUEST, colours=True) == "07:12:01 \x1b[32minfo    \x1b[0m orders POST /orders 201 12.345 ms r1"


@pytest.mark.parametrize(
    ("environ", "is_terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_are_where_they_are_seen(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], is_terminal: bool, coloured: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert has_colours(is_terminal=is_terminal) is coloured


PROGRAM = """
from ops.config import role
role.decide(role.Role.COMMAND)
import django
django.setup()
import structlog
structlog.get_logger("test").info("command.finished")
structlog.get_logger("test").warning("trouble")
"""


@pytest.mark.parametrize(("level", "shown"), [("info", False), ("debug", True)])
def test_a_commands_own_sentence_comes_first_on_a_terminal(level: str, shown: bool) -> None:
    ours, theirs = pty.openpty()
    environ = {"DJANGO_SETTINGS_MODULE": "ops.tests.settings", "PYTHONPATH": str(ROOT), "LOG_LEVEL": level}
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environ, stderr=theirs, timeout=60, check=True)
    os.close(theirs)
    seen = os.read(ours, 65_536).decode()
    os.close(ours)

    assert "trouble" in seen
    assert ("command.finished" in seen) is shown
