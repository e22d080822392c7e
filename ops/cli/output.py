"""The destination of a command's rows: standard output, or a file that gets its name when it is complete."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from django.core.management.base import CommandError, CommandParser, OutputWrapper
from rich.console import Console
from rich.table import Table

from ops.cli.command import LOCKED, USAGE, OpsCommand

STANDARD_OUTPUT = "-"


def add_output_argument(parser: CommandParser) -> None:
    """Add --output."""
    parser.add_argument(
        "--output",
        dest="path",
        metavar="PATH",
        default=STANDARD_OUTPUT,
        help="a file, written as PATH.partial and then renamed; - is standard output, the default",
    )


def leave_standard_output_to_rows(command: OpsCommand) -> None:
    """Print the closing sentence, or the object of --json, on standard error, and not in red."""
    command.stderr.style_func = None
    command.stdout = command.stderr


def print_table(out: OutputWrapper, header: Sequence[str], rows: Sequence[Sequence[str]], *, align: str) -> None:
    """Write the rows below their header; `align` has < or > for each column."""
    if out.isatty():
        table = Table()
        for name, side in zip(header, align, strict=True):
            table.add_column(name, justify="right" if side == ">" else "left")
        for row in rows:
            table.add_row(*row)
        Console(file=out, markup=False, highlight=False).print(table)  # type: ignore[arg-type] # it writes and flushes
        return
    for line in aligned([header, *rows], align):
        out.write(line)


def aligned(rows: Sequence[Sequence[str]], align: str) -> list[str]:
    """Return each row as a line, with its cells at the width of their column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ((f"{cell:{side}{width}}" for cell, side, width in zip(row, align, widths, strict=True)) for row in rows)
    return ["  ".join(line).rstrip() for line in lines]


class Output:
    """An open file, pipe or device, whose errors name it."""

    def __init__(self, name: str, descriptor: int, *, is_file: bool) -> None:
        self.name = name
        self.is_file = is_file
        self.replaced = False  # whether another file had the name before
        self.unfinished = False  # set by a command that can resume: the rows stay as PATH.partial
        self._descriptor = descriptor

    @property
    def place(self) -> str:
        """Return the name of the file that holds the rows."""
        return f"{self.name}.partial" if self.unfinished and self.is_file else self.name

    @property
    def account(self) -> str:
        """Return `place`, and mention a file that it replaced."""
        return f"{self.name}, in place of the file that was there" if self.replaced else self.place

    def write(self, data: bytes) -> None:
        """Write all bytes; raise OSError, such as on a full disk."""
        rest = memoryview(data)
        with self.naming_errors():
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    @contextmanager
    def naming_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.name) from None


@contextmanager
def showing_progress(command: OpsCommand, path: str, count: Callable[[], int]) -> Iterator[Callable[[float], None]]:
    """Show the progress bar, unless the rows go to the same terminal; call `count` only if it is shown."""
    if not sys.stderr.isatty() or (path == STANDARD_OUTPUT and sys.stdout.isatty()):
        yield lambda done: None
        return
    with command.progress("exporting", count()) as show:
        yield show


@contextmanager
def open_output(path: str) -> Iterator[Output]:
    """Yield the output; if the block raises, no file of that name has changed.

    Raise CommandError if it cannot be opened, or if another run is writing it.
    """
    if path == STANDARD_OUTPUT:
        yield Output("standard output", sys.stdout.fileno(), is_file=False)
        return
    try:
        target = Path(os.path.realpath(path))  # the target of a symbolic link; a loop stays one, and has no status
        is_special = os.path.lexists(target) and not stat.S_ISREG(target.stat().st_mode)  # it cannot be replaced
        partial = target.with_name(f"{target.name}.partial")
        descriptor = os.open(target, os.O_WRONLY) if is_special else _open_alone(partial)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=USAGE) from None
    output = Output(path, descriptor, is_file=not is_special)
    try:
        if is_special:
            yield output
        else:
            yield from _named_at_the_end(output, descriptor, partial, target)
    finally:
        os.close(descriptor)


def _named_at_the_end(output: Output, descriptor: int, partial: Path, target: Path) -> Iterator[Output]:
    is_kept = False
    try:
        yield output
        with output.naming_errors():
            os.fsync(descriptor)
            if not output.unfinished:
                output.replaced = target.exists()
                if output.replaced:
                    os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
                partial.replace(target)
                sync_folder(target.parent)
        is_kept = True
    finally:
        if not is_kept:
            partial.unlink(missing_ok=True)


def _open_alone(path: Path) -> int:
    """Open and empty a file that no other process writes; take over the file of a killed run."""
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.lstat()):
                    os.ftruncate(descriptor, 0)
                    return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise CommandError(f"Another run is writing {path}; nothing was written.", returncode=LOCKED) from None
        os.close(descriptor)  # another run has renamed or removed it meanwhile


def sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
