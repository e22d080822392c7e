"""Read products from JSON, JSON Lines or CSV, row by row, in constant memory."""

from __future__ import annotations

import codecs
import csv
import json
import re
import select
from collections.abc import Callable, Iterator
from io import BufferedReader, FileIO, RawIOBase
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from products_project.products.seeding.json_array import json_reason, read_array
from products_project.products.seeding.rows import LONGEST_ROW, REQUIRED, BadRow, Row, Unreadable, check_row
from products_project.products.serializers import PRODUCT

Format = Literal["json", "jsonl", "csv"]
FORMATS: dict[str, Format] = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
POLL = 0.5  # seconds between two checks while standard input is empty
BOM = b"\xef\xbb\xbf"
OTHER_BOMS = {  # that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
TAKEN = ",;\t"


class PatientFile(RawIOBase):
    """Read a file or pipe; call `look` before each read and while waiting, so that it may raise."""

    def __init__(self, raw: FileIO, look: Callable[[int], None]) -> None:
        self._raw = raw
        self._look = look
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._look(self._bytes)
        while not select.select([self._raw], [], [], POLL)[0]:
            self._look(self._bytes)
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._bytes += len(data)
        return len(data)


def format_of(path: Path, stream: BufferedReader) -> Format:
    """Return the format by the file's extension or else by its first character."""
    if known := FORMATS.get(path.suffix.lower()):
        return known
    start = stream.peek(1).removeprefix(BOM).lstrip()[:1]
    return {b"[": "json", b"{": "jsonl"}.get(start, "csv")  # type: ignore[return-value] # mypy widens a literal's str


def read_rows(stream: BufferedReader, form: Format) -> Iterator[Row | BadRow]:
    """Yield each row of the file, valid or not; raise Unreadable if the rest cannot be read."""
    readers: dict[Format, Callable[[BufferedReader], Iterator[tuple[int, Any]]]] = {
        "json": read_array,
        "jsonl": _json_lines,
        "csv": _csv_items,
    }
    if encoding := _other_encoding(stream.peek(4)[:4]):
        raise Unreadable(1, f"the file is in {encoding}; save it in UTF-8")
    for line, item in readers[form](stream):
        yield item if isinstance(item, BadRow) else check_row(line, item, from_text=form == "csv")


def _other_encoding(start: bytes) -> str:
    """Return the encoding that the first bytes show, if it is not UTF-8."""
    named = next((name for bom, name in OTHER_BOMS.items() if start.startswith(bom)), "")
    return named or ("UTF-16 or UTF-32" if b"\0" in start else "")


def _lines(stream: BufferedReader) -> Iterator[tuple[int, str | BadRow]]:
    """Yield each line's number and text."""
    number = 0
    while line := stream.readline(LONGEST_ROW + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BOM)
            if b"\r" in line.rstrip(b"\r\n"):
                raise Unreadable(1, "the lines end in CR alone; save the file with LF or CR LF")
        if len(line) > LONGEST_ROW:
            raise Unreadable(number, f"is longer than {LONGEST_ROW} bytes")
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            yield number, BadRow(number, "", f"is not UTF-8 (byte {error.start + 1} of the line)")


def _json_lines(stream: BufferedReader) -> Iterator[tuple[int, Any]]:
    for number, text in _lines(stream):
        if isinstance(text, BadRow):
            yield number, text
        elif text.strip():
            try:
                yield number, json.loads(text)
            except (ValueError, RecursionError) as error:
                yield number, BadRow(number, "", f"is not JSON: {json_reason(error)}")


def _csv_items(stream: BufferedReader) -> Iterator[tuple[int, Any]]:
    """Yield the rows below a header that names fields of a product, in any order."""
    bad: list[BadRow] = []
    lines = _good_lines(stream, bad)
    first = next(lines, "")
    line = 1
    if re.fullmatch(r"sep=.\s*", first, flags=re.IGNORECASE):  # as spreadsheets write it; the header tells the same
        first = next(lines, "")
        line = 2
    before = line - 1
    separator = _separator(first)
    rows = csv.reader(chain([first], lines), delimiter=separator, strict=True)
    header: list[str] = []
    try:
        for cells in rows:
            yield from ((fault.line, fault) for fault in bad)
            bad.clear()
            if not header:
                header = _header(line, cells, separator)
            elif len(cells) == len(header):
                yield line, dict(zip(header, cells, strict=True))
            elif cells:  # blank lines are skipped
                yield line, BadRow(line, "", f"has {len(cells)} columns, not {len(header)}")
            line = before + rows.line_num + 1
    except csv.Error as error:
        raise Unreadable(line, f"is not CSV: {error}") from None
    if not header:
        raise Unreadable(1, _header_rule())


def _good_lines(stream: BufferedReader, bad: list[BadRow]) -> Iterator[str]:
    """Yield the lines in UTF-8; replace each other line by a blank one and add it to `bad`."""
    for _, text in _lines(stream):
        if isinstance(text, BadRow):
            bad.append(text)
            yield "\n"
        else:
            yield text


def _separator(header: str) -> str:
    """Return the separator that the header has most of; no field of a product has one in its name."""
    return max(SEPARATORS, key=header.count)


def _header(line: int, cells: list[str], separator: str) -> list[str]:
    if separator not in TAKEN:
        taken = ", ".join(SEPARATORS[one] for one in TAKEN)
        raise Unreadable(line, f"the columns are separated by {SEPARATORS[separator]}; these are taken: {taken}")
    known = {name.lower(): name for name in PRODUCT.names}
    names = [cell.strip().lower() for cell in cells]
    if len(set(names)) < len(names) or not set(REQUIRED) <= set(names) <= set(known):
        found = f"; split at {SEPARATORS[separator]}, it holds {', '.join(cells)}"[:200] if cells else ""
        raise Unreadable(line, _header_rule() + found)
    return [known[name] for name in names]


def _header_rule() -> str:
    more = [name for name in PRODUCT.names if name not in REQUIRED]
    rest = f"may name {', '.join(more)}, and nothing else" if more else "nothing else"
    return f"the header must name {' and '.join(REQUIRED)}, and {rest}"
