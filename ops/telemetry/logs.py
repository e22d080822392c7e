"""One structlog pipeline for the services, Django, gunicorn and commands: one JSON object a line."""

from __future__ import annotations

import json
import logging
import logging.config
import sys
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ops.config import role
from ops.config.role import Role
from ops.config.service import ServiceConfig
from ops.telemetry.console import ConsoleRenderer, has_colours
from ops.telemetry.log_stream import LogStream, guarded
from ops.telemetry.request_context import add_request

EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
COUNTED_LEVELS = frozenset({"warning", "error", "critical"})
# These would repeat the log line of ops.server.middleware.
SILENCED = ("django.request", "django.server", "django.security.DisallowedHost", "django.security.csrf")


def stream_name() -> str:
    """Return the log stream of this process: a command reserves standard output for its result."""
    return "stdout" if role.current() is Role.WEB else "stderr"


def configure(logging_settings: Mapping[str, Any]) -> None:
    """Apply LOGGING and point structlog at the same stream; Django calls this as LOGGING_CONFIG."""
    logging.config.dictConfig(dict(logging_settings))
    logging.captureWarnings(True)
    formatter = logging_settings["formatters"]["structured"]
    to_bytes = formatter["render_bytes"]
    stream: Any = LogStream(stream_name())
    structlog.configure(
        processors=[guarded(processor) for processor in (*formatter["foreign_pre_chain"], *formatter["final"])],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(logging_settings["root"]["level"])),
        logger_factory=structlog.BytesLoggerFactory(stream) if to_bytes else structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


def logging_settings(config: ServiceConfig) -> dict[str, Any]:
    """Return Django's LOGGING: records of the standard library go through structlog's processors."""
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_request,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.add_log_level,
        _add_process(config),
        _count,
    ]
    is_json = config.log_format == "json"
    stream = LogStream(stream_name())
    is_watched = stream.isatty()
    console = ConsoleRenderer(colours=has_colours(is_terminal=is_watched), every_field=config.log_level == "debug")
    # On a terminal, a command's own sentence says what it did.
    is_quiet = is_watched and not is_json and role.current() is Role.COMMAND and config.log_level == "info"
    level = "WARNING" if is_quiet else config.log_level.upper()
    last: list[Processor] = [structlog.processors.format_exc_info, render_json] if is_json else [console]
    if config.development_recording:
        from ops.development.recorder import recorder  # noqa: PLC0415 - only development loads it

        last = [structlog.processors.format_exc_info, recorder(config).on_line, *last]
    formatter = {"()": _StandardFormatter, "foreign_pre_chain": first, "final": last, "render_bytes": is_json}
    handler = {"class": "ops.telemetry.log_stream.Handler", "stream": stream, "formatter": "structured"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"structured": formatter},
        "filters": {"sparse": {"()": _Sparse, "seconds": 60.0}},
        "handlers": {"stream": handler},
        "root": {"handlers": ["stream"], "level": level},
        "loggers": {
            "gunicorn.error": {"propagate": True, "level": level},
            "django": {"handlers": [], "propagate": True},
            # Their debug lines contain SQL with parameters, and URLs with queries.
            "django.db.backends": {"level": "INFO"},
            "urllib3": {"level": "INFO"},
            "axes": {"level": "ERROR"},  # ops.api.login has a line for each login
            # One line a minute while batches are lost, not one for each batch or retry.
            "opentelemetry.exporter": {"level": "ERROR"},
            EXPORTER: {"filters": ["sparse"]},
            **{name: {"level": "CRITICAL"} for name in SILENCED},
        },
    }


class _Sparse(logging.Filter):
    """Pass one record, then none for this number of seconds."""

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created < self._next:
            return False
        self._next = record.created + self._seconds
        return True


class _StandardFormatter(structlog.stdlib.ProcessorFormatter):
    """Render records of the standard library like those of structlog."""

    def __init__(self, *, foreign_pre_chain: list[Processor], final: list[Processor], render_bytes: bool) -> None:
        chain = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _name_foreign_event, *final]
        if render_bytes:
            chain.append(_decode)
        super().__init__(processors=chain, foreign_pre_chain=[*foreign_pre_chain, structlog.stdlib.add_logger_name])


def _decode(_logger: WrappedLogger, _method: str, line: Any) -> str:
    return str(line, "utf-8")


def _name_foreign_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep `event` constant for lines of libraries too; their text becomes the field `message`."""
    if "logger" in event:
        event["message"] = event["event"]
        event["event"] = f"{event.pop('logger')}.log"
    return event


def _add_process(config: ServiceConfig) -> Processor:
    """Add the service, its version and environment."""
    fields = {"service": config.service, "version": config.service_version, "environment": config.django_env}

    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.update(fields)
        return event

    return add


def _count(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Count a line of level warning and above; other lines cost nothing.

    gunicorn's master must not load the metrics: see ops.telemetry.metrics.
    """
    if event["level"] in COUNTED_LEVELS and (metrics := sys.modules.get("ops.telemetry.metrics")):
        metrics.log_lines_total.labels(event["level"]).inc()
    return event


def render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    """Return the event as one line of JSON, `timestamp`, `level` and `event` first."""
    ordered = {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "event": event.pop("event"), **event}
    try:
        return orjson.dumps(ordered, default=str)
    except TypeError:  # an integer above 64 bits, a lone surrogate, a key that is not a text, a cycle
        plain = {
            str(key): value if isinstance(value, str | int | None) else str(value) for key, value in ordered.items()
        }
        return json.dumps(plain).encode()
