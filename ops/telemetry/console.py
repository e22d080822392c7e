"""Log lines for people: one short line each; LOG_LEVEL=debug or LOG_FORMAT=json shows every field."""

from __future__ import annotations

import os
from typing import Any

from structlog.processors import format_exc_info
from structlog.typing import EventDict, WrappedLogger

COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31;1"}  # ANSI
ALWAYS_THE_SAME = ("version", "environment")
ON_DEMAND = ("trace_id", "span_id", "route", "client")


def has_colours(*, is_terminal: bool) -> bool:
    """Tell whether colours are seen: https://no-color.org, https://force-color.org."""
    if os.environ.get("NO_COLOR"):
        return False
    return is_terminal or bool(os.environ.get("FORCE_COLOR"))


class ConsoleRenderer:
    """Render time, level, service, then what happened."""

    def __init__(self, *, colours: bool, every_field: bool) -> None:
        self._colours = colours
        self._every_field = every_field

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        fields = dict(format_exc_info(logger, method, event))
        exception = fields.pop("exception", None)
        time, level = str(fields.pop("timestamp", ""))[11:19], str(fields.pop("level", "info"))
        coloured = f"\x1b[{COLOURS.get(level, '0')}m{level:8}\x1b[0m" if self._colours else f"{level:8}"
        service = str(fields.pop("service", "")).removesuffix("-service")
        line = " ".join(part for part in (time, coloured, service, self._what(fields)) if part)
        return f"{line}\n{exception}" if exception else line

    def _what(self, fields: dict[str, Any]) -> str:
        for name in () if self._every_field else (*ALWAYS_THE_SAME, *ON_DEMAND):
            fields.pop(name, None)
        words = [_printable(fields.pop("event"))]
        if words == ["request.finished"]:
            request = [fields.pop(name, "") for name in ("method", "path", "status", "duration_ms", "request_id")]
            words = [_printable("{} {} {} {} ms {}".format(*request))]
        return " ".join([*words, *(f"{name}={_printable(value)}" for name, value in fields.items())])


def _printable(value: Any) -> str:
    """Return text that can do nothing to a terminal."""
    text = str(value)
    return text if text.isprintable() else repr(text)[1:-1]
