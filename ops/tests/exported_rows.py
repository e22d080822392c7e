"""Run a command that writes rows to standard output, which the tests' logs share."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from tempfile import TemporaryFile

from ops.cli.command import OpsCommand
from ops.tests.run_command import run


class _StandardOutput(StringIO):
    """Take the log's text aside, and leave the descriptor to the rows."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


def run_for_rows(command: OpsCommand, *options: str) -> tuple[object, bytes, str]:
    """Return the exit code, the rows, and what was said on standard error; its sentence must not be among the rows."""
    with TemporaryFile() as rows:
        with redirect_stdout(_StandardOutput(rows.fileno())):
            code, output, said = run(command, *options)
        assert output == ""
        rows.seek(0)
        return code, rows.read(), said
