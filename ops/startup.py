"""What a process does before it imports the rest: its own Python, its own settings, development's .env."""

from __future__ import annotations

import gc
import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "DJANGO_SETTINGS_MODULE"


def enter_virtual_environment() -> None:
    """Go on under the project's .venv where this Python has no Django; say how to get one where there is none."""
    if find_spec("django"):
        return
    environment = ROOT / ".venv"
    python = environment / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != environment.resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - the same command
    sys.exit(f"{sys.executable} has no Django. `make run` installs it into .venv, which manage.py then uses.")


def begin_command(settings_module: str) -> None:
    """Begin manage.py: under the project's .venv if need be, and with its metrics in memory."""
    enter_virtual_environment()
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    begin(settings_module)


def begin(settings_module: str) -> None:
    """Give this process the settings of its service, whatever the environment names, and development its .env."""
    gc.disable()  # until end_imports
    from ops.config.env_file import read_env_file  # noqa: PLC0415 - once there is a virtual environment

    given = os.environ.get(VARIABLE) or settings_module
    if given != settings_module:
        print(f"{VARIABLE}={given} is not used: this process has {settings_module}.", file=sys.stderr)
    os.environ[VARIABLE] = settings_module
    loaded = sys.modules.get("django.conf")
    if loaded and loaded.settings.configured and settings_module != loaded.settings.SETTINGS_MODULE:
        raise RuntimeError(f"this process already has {loaded.settings.SETTINGS_MODULE}")
    read_env_file()


def end_imports() -> None:
    """Let Python look for garbage in cycles from now on, among new objects alone.

    Imports keep almost all that they make. To look for garbage meanwhile takes a tenth of a start.
    """
    gc.freeze()
    gc.enable()
