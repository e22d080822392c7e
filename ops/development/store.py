"""The last spans and log lines of all services of this machine, in one SQLite file: the newest push out the oldest.

Processes share it: web workers, relay, recovery and commands of every service. It may be lost at any time.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog

log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

MOST_SPANS = 5_000
MOST_LINES = 5_000
MOST_TRACES = 200  # on the page
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (id INTEGER PRIMARY KEY, trace_id TEXT, span_id TEXT, parent_id TEXT, service TEXT,
    name TEXT, kind TEXT, started INTEGER, ended INTEGER, error TEXT, attributes TEXT, events TEXT);
CREATE INDEX IF NOT EXISTS spans_of_trace ON spans (trace_id);
CREATE TABLE IF NOT EXISTS lines (id INTEGER PRIMARY KEY, trace_id TEXT, line TEXT);
CREATE TABLE IF NOT EXISTS services (name TEXT PRIMARY KEY, port INTEGER);
"""
COLUMNS = "trace_id, span_id, parent_id, service, name, kind, started, ended, error, attributes, events"


@dataclass(frozen=True)
class Span:
    """One operation; times are in nanoseconds, `error` is empty where it succeeded."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    started: int
    ended: int
    error: str
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """A span as one end of a call; what its attributes lack is None."""

    service: str
    kind: str
    parent_id: str
    parent_kind: str | None
    started: int
    ended: int
    error: str
    database: str | None
    address: str | None
    port: int | None
    broker: str | None


@contextmanager
def opened(path: str) -> Iterator[sqlite3.Connection]:
    """Yield a connection whose changes are committed at the end.

    It is not `sqlite3.connect`, which OpenTelemetry's instrumentation may trace.
    """
    with closing(sqlite3.Connection(path, timeout=5)) as connection:
        connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {SCHEMA}")
        with connection:
            yield connection


def _healing(function: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
    """Start a new file in place of a damaged one, and call the function again."""

    @wraps(function)
    def healed(path: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(path, *args, **kwargs)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
        with _alone_in(Path(path).parent):
            try:
                return function(path, *args, **kwargs)  # perhaps another process has started a new file
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                log.warning("development.recording_damaged", file=path, error=str(error))
                for end in ("-wal", "-shm", ""):
                    Path(path + end).unlink(missing_ok=True)
            return function(path, *args, **kwargs)

    return healed


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED  # the low byte is the primary code


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time replace a file of this folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@_healing
def write(path: str, spans: Sequence[Span], lines: Sequence[tuple[str, str]]) -> None:
    """Add spans, and log lines with their trace ids; forget the oldest ones."""
    rows = [(*list(vars(span).values())[:-2], json.dumps(span.attributes), json.dumps(span.events)) for span in spans]
    with opened(path) as connection:
        connection.executemany(f"INSERT INTO spans ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)  # noqa: S608
        connection.executemany("INSERT INTO lines (trace_id, line) VALUES (?,?)", lines)
        connection.execute("DELETE FROM spans WHERE id <= (SELECT max(id) FROM spans) - ?", [MOST_SPANS])
        connection.execute("DELETE FROM lines WHERE id <= (SELECT max(id) FROM lines) - ?", [MOST_LINES])


@_healing
def add_service(path: str, name: str, port: int) -> None:
    """Keep where a service answers."""
    with opened(path) as connection:
        connection.execute("INSERT OR REPLACE INTO services VALUES (?,?)", [name, port])


@_healing
def services(path: str) -> list[tuple[str, int]]:
    """Return the name and the port of each service that has started."""
    with opened(path) as connection:
        return connection.execute("SELECT name, port FROM services ORDER BY port").fetchall()


@_healing
def spans_of(path: str, trace_id: str) -> list[Span]:
    """Return the spans of a trace, the earliest first."""
    with opened(path) as connection:
        query = f"SELECT {COLUMNS} FROM spans WHERE trace_id = ? ORDER BY started, id"  # noqa: S608
        rows = connection.execute(query, [trace_id]).fetchall()
    return [Span(*(*row[:9], json.loads(row[9]), json.loads(row[10]))) for row in rows]


@_healing
def lines(path: str, *, trace_id: str = "", limit: int = MOST_LINES) -> list[dict[str, Any]]:
    """Return the last log lines, or those of a trace; the earliest first."""
    with opened(path) as connection:
        query = "SELECT line FROM lines WHERE ? IN ('', trace_id) ORDER BY id DESC LIMIT ?"
        rows = connection.execute(query, [trace_id, limit]).fetchall()
    return sorted((json.loads(line) for (line,) in reversed(rows)), key=lambda line: str(line["timestamp"]))


@_healing
def calls(path: str) -> list[Call]:
    """Return every span that is not within a service."""
    names = ("db.system.name", "server.address", "server.port", "messaging.system")
    attributes = ", ".join(f"json_extract(span.attributes, '$.\"{name}\"')" for name in names)
    query = f"""
        SELECT span.service, span.kind, span.parent_id, parent.kind, span.started, span.ended, span.error, {attributes}
        FROM spans span LEFT JOIN spans parent ON parent.trace_id = span.trace_id AND parent.span_id = span.parent_id
        WHERE span.kind != 'internal'"""  # noqa: S608
    with opened(path) as connection:
        return [Call(*row) for row in connection.execute(query)]


@_healing
def traces(path: str, among: Collection[str] | None = None) -> list[list[Span]]:
    """Return the spans of each of the last traces, or of those among these ids, without details; the latest first."""
    found: dict[str, list[Span]] = {}
    with opened(path) as connection:
        columns = "trace_id, span_id, parent_id, service, name, kind, started, ended, error"
        for row in connection.execute(f"SELECT {columns} FROM spans ORDER BY started, id"):  # noqa: S608
            if among is None or row[0] in among:
                found.setdefault(row[0], []).append(Span(*row))
    return sorted(found.values(), key=lambda spans: spans[0].started, reverse=True)[:MOST_TRACES]


@_healing
def traces_with(path: str, wanted: str) -> set[str]:
    """Return the ids of the traces with this id, or with a log line that has it: `request_id`, `order_id`, ..."""
    with opened(path) as connection:
        query = """
            SELECT trace_id FROM spans WHERE trace_id = :id
            UNION SELECT trace_id FROM lines, json_each(line)
            WHERE trace_id != '' AND key LIKE '%\\_id' ESCAPE '\\' AND CAST(value AS TEXT) = :id"""
        return {trace_id for (trace_id,) in connection.execute(query, {"id": wanted})}
