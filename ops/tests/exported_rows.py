"""Run a command that writes rows to standard output, shared with the logs of the tests."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from tempfile import TemporaryFile

from ops.cli.command import OpsCommand
from ops.tests.run_command import run


class _StandardOutput(StringIO):
    """Redirect the log's text, so that only rows reach the descriptor."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor


def run_for_rows(command: OpsCommand, *options: str) -> tuple[object, bytes, str]:
    """Return the exit code, the rows and standard error; the closing sentence must not be among the rows."""
    with TemporaryFile() as rows:
        with redirect_stdout(_StandardOutput(rows.fileno())):
            code, output, said = run(command, *options)
        assert output == ""
        rows.seek(0)
        return code, rows.read(), said
