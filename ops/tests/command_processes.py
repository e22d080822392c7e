"""Run the example command as a process of its own, with a terminal or without."""

from __future__ import annotations

import atexit
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from ops.config.service import ROOT

PROGRAM = """
import sys
from ops.config import role
role.decide(role.Role.COMMAND)
from ops.cli import standard_streams
standard_streams.protect()
import django
django.setup()
from ops.tests.example import Command
Command().run_from_argv(["manage.py", "example", *sys.argv[1:]])
"""


@cache
def own_database(url: str) -> str:
    """Return the URL of a database for this test process alone: beside others, it would wait for their locks."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if not url or not worker:
        return url
    name = f"argos_commands_{worker}_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    atexit.register(_drop, url, name)
    return f"{url.rsplit('/', 1)[0]}/{name}"


def _drop(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def environment(directory: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment whose database all processes of a test share: a file, or what DATABASE_URL names."""
    url = own_database(os.environ.get("DATABASE_URL", "")) or f"sqlite:///{directory}/shared.sqlite3"
    own = {"DJANGO_SETTINGS_MODULE": "ops.tests.settings", "DATABASE_URL": url, "LOG_FORMAT": "json", "TERM": "xterm"}
    return dict(os.environ) | {"ARGOS_ENV_FILE": os.devnull} | own | dict(extra or {})


@contextmanager
def started(*arguments: str, env: Mapping[str, str], **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """Yield the example at work; kill it if it is still there afterwards, as it may hold the lock."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    program = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(program, cwd=ROOT, env=dict(env), text=True, **(pipes | streams)) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*arguments: str, env: Mapping[str, str], **streams: Any) -> tuple[int, str, str]:
    """Run the example; return its exit code and what it wrote to standard output and standard error."""
    with started(*arguments, env=env, **streams) as process:
        output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


@contextmanager
def at_it(env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that holds the example's lock."""
    with started("hold", env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at it\n"
        yield process


class Terminal:
    """A terminal: `end` is what a process gets as its stream."""

    def __init__(self) -> None:
        self._ours, self.end = pty.openpty()
        self._read = b""

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def read_until(self, text: str) -> str:
        """Return what was shown up to this text."""
        while text.encode() not in self._read:
            self._read += os.read(self._ours, 65_536)
        return self._read.decode()

    def close(self) -> str:
        """Return all that was shown, once no process has the terminal any more."""
        os.close(self.end)
        with suppress(OSError):  # EIO: the other end is closed
            while data := os.read(self._ours, 65_536):
                self._read += data
        os.close(self._ours)
        return self._read.decode()
