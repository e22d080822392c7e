"""Show the progress of a backup, and stop it at a signal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, TimeElapsedColumn, TransferSpeedColumn

from ops.backups.files import OnProgress
from ops.cli.command import OpsCommand, Stopped


@contextmanager
def shown_progress(command: OpsCommand, what: str) -> Iterator[OnProgress]:
    """Yield the callback for each step of the work: it shows the bytes done, and raises Stopped after a signal."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with command.progress(what, None, columns) as show:

        def on_progress(done: int) -> None:
            if command.stopping:
                raise Stopped
            if done:  # 0: this step has no bytes to show
                show(done)

        yield on_progress
