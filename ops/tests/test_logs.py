"""Every log line of every source is one JSON object of the same shape."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from ops.config.service import ROOT
from ops.telemetry import logs

# A process of its own: logging is configured once, at start, and for the stream of that process.
PROGRAM = """
import logging, structlog
from ops.telemetry import logs
from ops.tests.settings import PlainConfig
logs.configure(logs.logging_settings(PlainConfig.load()))
log = structlog.get_logger("test")
{statements}
"""


def output_of(statements: str, **env: str) -> str:
    """Return what a process with this configuration writes to standard output."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statements=statements)],
        cwd=ROOT,
        env={"LOG_FORMAT": "json", "SERVICE_VERSION": "v9", "PYTHONPATH": str(ROOT)} | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def lines_of(statements: str, **env: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output_of(statements, **env).splitlines()]


def test_a_structlog_event_and_a_record_of_the_standard_library_have_the_same_shape() -> None:
    own, foreign, gunicorn = lines_of(
        "structlog.contextvars.bind_contextvars(request_id='r1')\n"
        "log.info('order.placed', order_id=1)\n"
        "logging.getLogger('some.library').warning('It said %s', 'so')\n"
        "logging.getLogger('gunicorn.error').info('Booting worker with pid: %d', 7)"
    )

    common = {"service": "plain-service", "version": "v9", "environment": "development", "request_id": "r1"}
    assert own == common | {
        "timestamp": own["timestamp"],
        "level": "info",
        "event": "order.placed",
        "order_id": 1,
    }
    assert list(own)[:3] == ["timestamp", "level", "event"]
    assert foreign == common | {
        "timestamp": foreign["timestamp"],
        "level": "warning",
        "event": "some.library.log",
        "message": "It said so",
    }
    assert (gunicorn["event"], gunicorn["message"]) == ("gunicorn.error.log", "Booting worker with pid: 7")


VALUES: dict[str, object] = {
    "10 ** 40": 10**40,
    "'\\ud800'": "\ud800",
    "b'\\xff'": "b'\\xff'",
    "float('nan')": None,
    "{1: 'a key that is no text'}": "{1: 'a key that is no text'}",
    "[float('inf'), 10 ** 40]": f"[inf, {10**40}]",
    "'two\\nlines'": "two\nlines",
    "object": "<class 'object'>",
}


def test_any_value_is_one_line_of_json() -> None:
    lines = lines_of("\n".join(f"log.info('event', value={value})" for value in VALUES))

    assert [line["value"] for line in lines] == list(VALUES.values())


def test_a_value_that_holds_itself_is_one_line_of_json() -> None:
    (line,) = lines_of("circle = []\ncircle.append(circle)\nlog.info('event', value=circle)")

    assert line["value"] == "[[...]]"


FAILURE = """
def fail(password):
    raise ValueError("wrong")
try:
    fail("hunter2-in-a-frame")
except ValueError:
    log.exception("it.failed")
    logging.getLogger("library").exception("It failed")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_locals_of_its_frames(log_format: str) -> None:
    text = output_of(FAILURE.replace('"hunter2-in-a-frame"', '"hunter2" + "-in-a-frame"'), LOG_FORMAT=log_format)

    assert text.count("ValueError: wrong") == 2
    assert text.count("Traceback") == 2
    assert "hunter2-in-a-frame" not in text


def test_the_console_format_has_no_colours_in_a_file() -> None:
    text = output_of("log.info('order.placed', order_id=1)", LOG_FORMAT="console")

    assert "order.placed" in text
    assert "order_id=1" in text
    assert "\x1b" not in text


def test_levels_below_the_configured_one_are_not_logged() -> None:
    lines = lines_of("log.info('a')\nlog.warning('b')\nlogging.getLogger('x').info('c')", LOG_LEVEL="warning")

    assert [line["event"] for line in lines] == ["b"]


def test_what_the_request_line_says_already_is_silent() -> None:
    lines = lines_of("for name in logs.SILENCED:\n    logging.getLogger(name).error('again')")

    assert lines == []


def test_sql_and_urls_are_not_logged_even_when_debugging() -> None:
    lines = lines_of(
        "logging.getLogger('django.db.backends').debug('SELECT secret')\n"
        "logging.getLogger('urllib3.connectionpool').debug('GET /?token=secret')",
        LOG_LEVEL="debug",
    )

    assert lines == []


def test_warnings_are_logged_like_everything_else() -> None:
    (line,) = lines_of(
        "import warnings\nwarnings.warn('Old', DeprecationWarning, stacklevel=1)", PYTHONWARNINGS="always"
    )

    assert (line["level"], line["event"]) == ("warning", "py.warnings.log")


def test_a_collector_that_is_down_is_one_line_a_minute() -> None:
    sparse = logs._Sparse(seconds=60)

    def let_through(at: float) -> bool:
        record = logging.LogRecord(logs.EXPORTER, logging.ERROR, __file__, 1, "Failed to export", None, None)
        record.created = at
        return bool(sparse.filter(record))

    assert [let_through(at) for at in (1000.0, 1001.0, 1059.0, 1060.0, 1061.0)] == [True, False, False, True, False]
