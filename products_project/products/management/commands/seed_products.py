from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.progress import BarColumn, TaskProgressColumn, TimeElapsedColumn, TransferSpeedColumn

from ops.cli.command import OpsCommand, Result, Stopped
from products_project.products.seeding.files import FORMATS, PatientFile, format_of, read_rows
from products_project.products.seeding.rows import BadRow, Row
from products_project.products.services import catalogue


class Command(OpsCommand):
    """Create or update products by their id: the two built-in ones, or those of a file.
    A second run changes nothing. If any row is bad, no product is changed, and each bad row is reported.

    Examples:
      manage.py seed_products
      manage.py seed_products --file products.csv --dry-run
      generate-products | manage.py seed_products --file - --format jsonl

    A file holds a JSON array of {"id": 1, "name": "Quantum Laptop"}, one such object a line (JSON Lines),
    or CSV with the header id,name, in UTF-8. Commas, semicolons or tabs separate the columns of CSV.
    A name is stored as written. The output counts names with blanks at an end or with invisible letters,
    such as marks of direction, and names the first line.
    Bad rows exit with 1, an unusable file with 2.
    """

    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", metavar="PATH", help="read products from this file; - is standard input")
        parser.add_argument(
            "--format",
            dest="form",
            choices=sorted(set(FORMATS.values())),
            help="of the file; by default from its extension, or else its first character",
        )

    def perform(
        self,
        *,
        file: str | None,
        form: str | None,
        dry_run: bool,
        as_json: bool,
        **options: Any,
    ) -> Result:
        if file is None and form is not None:
            raise CommandError("--format needs --file.", returncode=2)
        unseen = NamesWithUnseenLetters()
        try:
            if file is None:
                seeding = catalogue.seed_products(rows=catalogue.built_in_products(), dry_run=dry_run)
            else:
                with self._rows(file, form) as rows:
                    seeding = catalogue.seed_products(rows=unseen.count(rows), dry_run=dry_run)
        except catalogue.BadRows as bad:
            return _refusal(bad)
        counts = {"created": seeding.created, "updated": seeding.updated, "unchanged": seeding.unchanged}
        verb, end = ("Would seed", " Nothing was changed.") if dry_run else ("Seeded", "")
        parts = ", ".join(f"{count} {what}" for what, count in counts.items())
        noun = "product" if seeding.total == 1 else "products"
        return Result(
            f"{verb} {seeding.total} {noun}: {parts}.{end}{unseen.sentence()}",
            counts,
            details={"dryRun": dry_run, "namesWithUnseenLetters": unseen.total},
        )

    @contextmanager
    def _rows(self, file: str, form: str | None) -> Iterator[Iterator[Row | BadRow]]:
        """Yield the file's rows; show progress on a terminal, and stop between two reads after a signal."""
        try:
            raw = FileIO(sys.stdin.fileno() if file == "-" else file, closefd=file != "-")
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=2) from None
        columns = (BarColumn(), TaskProgressColumn(), TransferSpeedColumn(), TimeElapsedColumn())
        size = Path(file).stat().st_size if Path(file).is_file() else None
        with raw, self.progress("reading", size, columns) as show:

            def look(bytes_read: int) -> None:
                if self.stopping:
                    raise Stopped
                show(bytes_read)

            stream = BufferedReader(PatientFile(raw, look), buffer_size=65_536)
            yield read_rows(stream, form or format_of(Path(file), stream))  # type: ignore[arg-type] # one of choices


class NamesWithUnseenLetters:
    """Count the names of the rows that pass which are not what they look like."""

    def __init__(self) -> None:
        self.total = self.first_line = 0

    def count(self, rows: Iterator[Row | BadRow]) -> Iterator[Row | BadRow]:
        for row in rows:
            if isinstance(row, Row) and row.has_unseen_letters():
                self.total += 1
                self.first_line = self.first_line or row.line
            yield row

    def sentence(self) -> str:
        if not self.total:
            return ""
        names = "1 name stays" if self.total == 1 else f"{self.total} names stay"
        return f" {names} as written, with blanks at an end or invisible letters; see line {self.first_line}."


def _refusal(bad: catalogue.BadRows) -> Result:
    problems = [str(row) for row in bad.first]
    if bad.total > len(problems):
        problems.append(f"and {bad.total - len(problems)} more")
    noun = "row is" if bad.total == 1 else "rows are"
    lines = "\n".join(f"  {problem}" for problem in problems)
    return Result(f"{bad.total} {noun} bad; nothing was changed:\n{lines}", {"bad": bad.total}, problems)
