from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, TimeElapsedColumn, TransferSpeedColumn

from ops.backups.files import Look
from ops.cli.command import OpsCommand, Stopped


@contextmanager
def watched(command: OpsCommand, what: str) -> Iterator[Look]:
    """Yield what the work calls between two steps: it shows the bytes done, and raises Stopped after a signal."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with command.progress(what, None, columns) as show:

        def look(done: int) -> None:
            if command.stopping:
                raise Stopped
            if done:  # 0: a step that has no bytes to show
                show(done)

        yield look
