"""Print a table: ruled on a terminal, aligned plain text anywhere else."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.table import Table


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
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (f"{cell:{side}{width}}" for cell, side, width in zip(line, align, widths, strict=True))
        out.write("  ".join(cells).rstrip())
