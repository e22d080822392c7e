"""Run a command within the test, as call_command does, and return its result."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command

from ops.cli.command import OpsCommand


def run(command: OpsCommand | str, *options: str) -> tuple[object, str, str]:
    """Return the exit code, standard output and standard error."""
    output, errors = StringIO(), StringIO()
    try:
        call_command(command, *options, stdout=output, stderr=errors)
    except SystemExit as ended:
        return ended.code, output.getvalue(), errors.getvalue()
    return 0, output.getvalue(), errors.getvalue()
