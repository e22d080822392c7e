"""Write rows as CSV, JSON or JSON Lines, page by page, in constant memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import orjson
from django.core.management.base import CommandParser

Format = Literal["csv", "json", "jsonl"]
FORMATS: tuple[Format, ...] = ("csv", "json", "jsonl")
# A spreadsheet takes these for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def add_format_argument(parser: CommandParser) -> None:
    """Add --format."""
    parser.add_argument("--format", dest="form", choices=FORMATS, default="csv", help="default: %(default)s")


class Encoding:
    """Turn rows into the bytes of one format: `head`, then each page, then `tail`.

    JSON is an array with one object a line; CSV is RFC 4180, and a time in UTC ends with Z. `for_spreadsheets` puts a
    single quote before each text that a spreadsheet would take for a formula; such a text differs from the stored one.
    """

    def __init__(self, form: Format, fields: Sequence[str], *, for_spreadsheets: bool = False) -> None:
        self._form = form
        self._fields = fields
        self._for_spreadsheets = for_spreadsheets
        self._has_rows = False

    def head(self) -> bytes:
        if self._form == "csv":
            return self._csv([self._fields])
        return b"[\n" if self._form == "json" else b""

    def page(self, rows: Sequence[Sequence[Any]]) -> bytes:
        if not rows:
            return b""
        if self._form == "csv":
            return self._csv(rows)
        objects = [orjson.dumps(dict(zip(self._fields, row, strict=True)), option=orjson.OPT_UTC_Z) for row in rows]
        if self._form == "jsonl":
            return b"\n".join(objects) + b"\n"
        before = b",\n" if self._has_rows else b""
        self._has_rows = True
        return before + b",\n".join(objects)

    def tail(self) -> bytes:
        if self._form != "json":
            return b""
        return b"\n]\n" if self._has_rows else b"]\n"

    def _csv(self, rows: Sequence[Sequence[Any]]) -> bytes:
        text = io.StringIO(newline="")
        # CRLF as in RFC 4180: with another end of line Python 3.11 leaves a bare CR in a text unquoted.
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerows([self._cell(value) for value in row] for row in rows)
        return text.getvalue().encode()

    def _cell(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        if self._for_spreadsheets and isinstance(value, str) and value.startswith(FORMULA_STARTS):
            return f"'{value}"
        return value
