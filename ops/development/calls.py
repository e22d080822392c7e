"""The arrows between services, from the recorded spans: calls, errors and the 95th percentile of each pair."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops.development import store
from ops.development.waterfall import milliseconds

CLIENTS, DATABASE = "clients", "database of "


@dataclass(frozen=True)
class Arrow:
    """The calls from one to the other; 95 % of them took at most `p95`."""

    caller: str
    callee: str
    calls: int
    errors: int
    p95: str


def arrows(path: str) -> list[Arrow]:
    """Return an arrow for each pair, clients first and databases last."""
    at = {port: name for name, port in store.services(path)}
    found: dict[tuple[str, str], list[store.Call]] = defaultdict(list)
    for call in store.calls(path):
        if ends := _ends(call, at):
            found[ends].append(call)
    pairs = sorted(found, key=lambda ends: (ends[0] != CLIENTS, ends[1].startswith(DATABASE), ends))
    return [_arrow(*ends, found[ends]) for ends in pairs]


def _ends(call: store.Call, at: Mapping[int, str]) -> tuple[str, str] | None:
    """Return caller and callee, in the direction of the request; None for a span within a service."""
    relay = f"relay of {call.service}"
    if call.kind == "server":
        return None if call.parent_id else (CLIENTS, call.service)
    if call.database:
        return call.service, f"{DATABASE}{call.service}"
    if call.kind == "client" and call.port:
        caller = relay if call.parent_kind == "producer" else call.service
        return caller, at.get(call.port, f"{call.address}:{call.port}")
    if call.broker and call.broker != "http":  # over HTTP, the client's span is the arrow
        return (relay, call.broker) if call.kind == "producer" else (call.broker, call.service)
    return None


def _arrow(caller: str, callee: str, calls: Sequence[store.Call]) -> Arrow:
    durations = sorted(call.ended - call.started for call in calls)
    p95 = durations[math.ceil(0.95 * len(durations)) - 1]
    return Arrow(caller, callee, len(calls), sum(bool(call.error) for call in calls), milliseconds(p95))
