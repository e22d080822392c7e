"""The role of this process. It is decided once, before the settings load, as they depend on it."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """The roles of a process."""

    WEB = "web"  # answers requests: short waits, logs to standard output
    COMMAND = "command"  # does one task and ends: long waits, logs to standard error
    WORKER = "worker"  # a command that runs until a signal: short waits, logs to standard error


_decided: Role | None = None


def decide(role: Role) -> None:
    """Set the role of this process; raise RuntimeError if another one was decided or read before."""
    global _decided  # noqa: PLW0603 - a process has one role
    if _decided not in (None, role):
        raise RuntimeError(f"The role of this process is {_decided} already; it cannot become {role}.")
    _decided = role


def current() -> Role:
    """Return the role of this process: a web process, unless `decide` was called before."""
    decide(_decided or Role.WEB)
    return _decided or Role.WEB
