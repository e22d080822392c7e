"""A log line is one line of JSON for any values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops.telemetry.logs import render_json

HEAD = {"event": "test.done", "level": "info", "timestamp": "2026-11-20T09:30:00Z"}


def render(value: Any) -> dict[str, Any]:
    line = render_json(None, "info", {"value": value, **HEAD})
    assert b"\n" not in line
    document: dict[str, Any] = json.loads(line)
    assert list(document) == ["timestamp", "level", "event", "value"]
    return document


@pytest.mark.parametrize(
    "value", ["a", "a\nb\x00", "é", "\ud800", 5, 2**64, -(10**40), 1.5, None, True, [1, "a"], {"a": {}}]
)
def test_what_json_knows_stays_as_it_is(value: Any) -> None:
    assert render(value)["value"] == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Path("/a"), "/a"),
        (ValueError("no"), "no"),
        (datetime(2026, 11, 20, tzinfo=UTC), "2026-11-20T00:00:00+00:00"),
        (b"a", "b'a'"),
        ({("a", "b"): 1}, "{('a', 'b'): 1}"),
    ],
)
def test_what_json_does_not_know_is_written_as_text(value: Any, shown: Any) -> None:
    assert render(value)["value"] == shown
