"""The rows in each format."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.cli.exports import Encoding, Format

NOON = datetime(2026, 11, 20, 12, 0, 0, 250, tzinfo=UTC)


def encode(
    form: Format, *pages: list[tuple[Any, ...]], fields: tuple[str, ...] = ("id", "name"), **options: Any
) -> bytes:
    encoding = Encoding(form, fields, **options)
    return b"".join([encoding.head(), *(encoding.page(page) for page in pages), encoding.tail()])


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("csv", b"id,name\r\n1,a\r\n2,b\r\n3,c\r\n"),
        ("json", b'[\n{"id":1,"name":"a"},\n{"id":2,"name":"b"},\n{"id":3,"name":"c"}\n]\n'),
        ("jsonl", b'{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n{"id":3,"name":"c"}\n'),
    ],
)
def test_pages_join_without_a_seam(form: Format, expected: bytes) -> None:
    assert encode(form, [(1, "a"), (2, "b")], [], [(3, "c")]) == expected


@pytest.mark.parametrize(("form", "expected"), [("csv", b"id,name\r\n"), ("json", b"[\n]\n"), ("jsonl", b"")])
def test_without_rows_it_is_still_of_its_format(form: Format, expected: bytes) -> None:
    assert encode(form) == expected


@pytest.mark.parametrize("text", ['"', ",", "a\nb", "a\rb", "a\r\nb", "é🚀", "\u2028", " a ", "=1+1", "\\", "'"])
def test_any_text_comes_back_as_it_was(text: str) -> None:
    table = list(csv.reader(io.StringIO(encode("csv", [(1, text)]).decode(), newline=""), strict=True))

    assert table == [["id", "name"], ["1", text]]
    assert json.loads(encode("json", [(1, text)])) == [{"id": 1, "name": text}]
    assert [json.loads(line) for line in encode("jsonl", [(1, text)]).split(b"\n")[:-1]] == [{"id": 1, "name": text}]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "=cmd|' /C calc'!A0"])
def test_for_a_spreadsheet_a_text_is_no_formula(text: str) -> None:
    data = encode("csv", [(1, text)], for_spreadsheets=True).decode()

    assert list(csv.reader(io.StringIO(data, newline="")))[1] == ["1", f"'{text}"]


def test_for_a_spreadsheet_numbers_and_other_texts_stay() -> None:
    assert encode("csv", [(-1, "a=b")], for_spreadsheets=True) == b"id,name\r\n-1,a=b\r\n"


def test_only_csv_is_changed_for_spreadsheets() -> None:
    assert json.loads(encode("json", [(1, "=1")], for_spreadsheets=True)) == [{"id": 1, "name": "=1"}]


def test_a_time_is_written_alike_in_each_format() -> None:
    expected = "2026-11-20T12:00:00.000250Z"

    assert encode("csv", [(NOON,)], fields=("at",)).decode() == f"at\r\n{expected}\r\n"
    assert json.loads(encode("jsonl", [(NOON,)], fields=("at",))) == {"at": expected}
    assert encode("csv", [(datetime(2026, 1, 1, tzinfo=UTC),)], fields=("at",)) == b"at\r\n2026-01-01T00:00:00Z\r\n"
