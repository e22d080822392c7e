"""CloudEvents 1.0 in JSON (https://github.com/cloudevents/spec): encoding and validation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from ops.telemetry.request_context import WELL_FORMED_ID

CONTENT_TYPE = "application/cloudevents+json"  # structured mode: the body is the whole event
SPEC_VERSION = "1.0"
LONGEST = 255  # characters of id, source, type and subject
TEXT = r"^[^\u0000-\u001f\u007f-\u009f]*$"  # CloudEvents' type String has no controls; also for the OpenAPI document
LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # no database stores one
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)

RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


class InvalidEvent(ValueError):
    """The document is not a valid event; a retry would not help."""


@dataclass(frozen=True)
class Event:
    """One event. `source` and `id` together identify it; `time` is RFC 3339."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: Mapping[str, Any] = field(default_factory=dict)
    traceparent: str = ""  # of the span that recorded it (CloudEvents' distributed tracing extension)
    correlationid: str = ""  # the id of the request that caused it (CloudEvents' correlation extension)

    def to_json(self) -> bytes:
        """Return the event in the JSON event format."""
        document: dict[str, Any] = {
            "specversion": SPEC_VERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": self.data,
        }
        for name in ("subject", "traceparent", "correlationid"):
            if value := getattr(self, name):
                document[name] = value
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)  # as jsonb has an order of its own


def parse_event(body: bytes | str) -> Event:
    """Return the event in a body; raise InvalidEvent."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidEvent("The body is not JSON.") from None
    return read_event(document)


def read_event(document: Any) -> Event:
    """Return the event of a JSON document; raise InvalidEvent."""
    if not isinstance(document, dict):
        raise InvalidEvent("An event is a JSON object.")
    if document.get("specversion") != SPEC_VERSION:
        raise InvalidEvent(f"specversion must be {SPEC_VERSION!r}.")
    if document.get("datacontenttype", "application/json") != "application/json" or "data_base64" in document:
        raise InvalidEvent("The data must be JSON.")
    data = document.get("data", {})
    if not isinstance(data, dict):
        raise InvalidEvent("data must be a JSON object.")
    return Event(
        id=_text(document, "id"),
        source=_text(document, "source"),
        type=_text(document, "type"),
        subject=_text(document, "subject") if "subject" in document else "",
        time=_time(document),
        data=data,
        traceparent=_extension(document, "traceparent", TRACEPARENT),
        correlationid=_extension(document, "correlationid", WELL_FORMED_ID),
    )


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidEvent(f"{name} must be a string and not empty.")
    if len(value) > LONGEST or not re.fullmatch(TEXT, value) or LONE_SURROGATE.search(value):
        raise InvalidEvent(f"{name} must be at most {LONGEST} characters, without controls.")
    return value


def _extension(document: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    """Return an extension attribute; empty if it is malformed, as an invalid trace must not lose an event."""
    value = document.get(name, "")
    if not isinstance(value, str):
        raise InvalidEvent(f"{name} must be a string.")
    return value if pattern.fullmatch(value) else ""


def _time(document: dict[str, Any]) -> str:
    return check_time(document["time"]) if "time" in document else ""


def check_time(value: Any) -> str:
    """Return an RFC 3339 time as it is; raise InvalidEvent."""
    try:
        if not (isinstance(value, str) and RFC_3339.fullmatch(value)):
            raise ValueError
        datetime.fromisoformat(value.upper())
    except ValueError:
        raise InvalidEvent("time must be an RFC 3339 time.") from None
    return value
