"""A probe asks one question about the service or its surroundings; it answers with Django's check messages.

https://docs.djangoproject.com/en/5.2/ref/checks/#messages
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

import requests
from django.core.checks import ERROR, INFO, WARNING, CheckMessage
from django.db import connections

from ops.background import in_background
from ops.config.report import masked
from ops.config.service import ServiceConfig

Level = Literal["ok", "warning", "failure"]
LEVELS: dict[int, Level] = {INFO: "ok", WARNING: "warning", ERROR: "failure"}


class NoAnswer(Exception):
    """Say in one line why something cannot be used."""


@dataclass(frozen=True)
class Probe:
    """Describe one question. `ask` returns what it found; an exception is a failure, with `hint` as the advice.

    `variable` is the setting that names the backing service asked: `check_config --connect` asks those that have one.
    If the probe named by `rests_on` has failed too, the answer is unknown: one cause is one failure.
    """

    id: str
    ask: Callable[[ServiceConfig], Iterable[CheckMessage]]
    hint: str
    rests_on: str = ""
    variable: str = ""
    is_optional: bool = False  # the service works without it: a failure is a warning
    deadline: timedelta = timedelta(seconds=5)


def ok(message: str) -> CheckMessage:
    return CheckMessage(INFO, message)


def warning(message: str, hint: str) -> CheckMessage:
    return CheckMessage(WARNING, message, hint=hint)


def failure(message: str, hint: str) -> CheckMessage:
    return CheckMessage(ERROR, message, hint=hint)


def answer(probe: Probe, config: ServiceConfig) -> list[CheckMessage]:
    """Ask now, in this thread, over connections that are closed afterwards."""
    try:
        return list(probe.ask(config))
    finally:
        connections.close_all()


def examine(
    config: ServiceConfig, probes: Sequence[Probe], *, deadline: timedelta | None = None
) -> Iterator[tuple[Probe, CheckMessage]]:
    """Ask all probes at the same time; yield what each found, in their order, with its id and variable."""
    started = time.monotonic()
    asked = {probe: in_background(f"probe-{probe.id}", partial(answer, probe, config)) for probe in probes}
    failed = set()
    for probe, future in asked.items():
        limit = min(probe.deadline, deadline or probe.deadline).total_seconds()
        wait([future], max(started + limit - time.monotonic(), 0))
        error = future.exception() if future.done() else NoAnswer(f"no answer within {limit:g} s")
        if error is None:
            found = future.result()
        elif probe.rests_on in failed:
            found = [warning("not known", f"See {probe.rests_on}.")]
        else:
            found = [(warning if probe.is_optional else failure)(reason(error), probe.hint)]
        for message in found:
            if message.level >= ERROR:
                failed.add(probe.id)
            message.id, message.obj = probe.id, probe.variable or None
            yield probe, message


def reason(error: BaseException) -> str:
    """Return in one short line why something failed, in the operating system's words if a library wrapped them."""
    if isinstance(error, requests.Timeout | TimeoutError):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__context__
    text = " ".join(str(error).split()).partition(" Is the server running")[0]  # libpq's advice
    return masked(text[:300]) or type(error).__name__
