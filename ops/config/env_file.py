"""The file .env, which development takes into its environment; production reads none."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from dotenv.parser import Binding, parse_stream

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
USAGE = 2  # the exit code of a wrong configuration

taken: set[str] = set()  # the variables that have their value from the file


def read_env_file() -> None:
    """Take what .env, or the file that ARGOS_ENV_FILE names, says of variables that are unset or empty.

    A line that cannot be taken ends the process, which names it.
    """
    if os.environ.get("DJANGO_ENV", "development") != "development" or os.environ.get("DJANGO_ENV_FILE"):
        return
    path = Path(os.environ.get("ARGOS_ENV_FILE") or ROOT / ".env")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        _refuse(path, [getattr(error, "strerror", None) or "is not UTF-8"])
    bindings = [binding for binding in parse_stream(io.StringIO(text)) if binding.key or binding.error]
    if faults := list(_faults(bindings)):
        _refuse(path, faults)
    for name, value in ((binding.key, binding.value) for binding in bindings):
        if name and value and not os.environ.get(name):
            os.environ[name] = value
            taken.add(name)


def _faults(bindings: list[Binding]) -> Iterator[str]:
    """Say which lines cannot be taken, without quoting what may be a secret."""
    for binding in bindings:
        text = binding.original.string
        line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
        if binding.error or binding.value is None or not NAME.fullmatch(binding.key or ""):
            yield f"line {line} is not NAME=value"
        elif (binding.key, binding.value) == ("DJANGO_ENV", "production"):
            yield f"line {line} sets DJANGO_ENV=production, which reads no .env: set it in the environment"


def _refuse(path: Path, faults: list[str]) -> None:
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    for fault in faults:
        print(f"{shown}: {fault}", file=sys.stderr)
    sys.exit(USAGE)
