"""Seed files: their rows, and the messages about bad ones."""

from __future__ import annotations

import json
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import cast

import pytest

from products_project.products.seeding.files import Format, format_of, read_rows
from products_project.products.seeding.rows import LONGEST_ROW, MAX_ID, BadRow, Row, Unreadable


def read(form: Format, content: str | bytes) -> list[Row | BadRow]:
    data = content.encode() if isinstance(content, str) else content
    return list(read_rows(BufferedReader(cast(FileIO, BytesIO(data))), form))


def unreadable(form: Format, content: str | bytes) -> str:
    with pytest.raises(Unreadable) as raised:
        read(form, content)
    return str(raised.value.bad)


GOOD = [Row(1, 1, "Quantum Laptop"), Row(2, 2, "Neutrino, Keyboard")]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_format_gives_the_same_rows(bom: str, newline: str) -> None:
    first, second = '{"id": 1, "name": "Quantum Laptop"}', '{"name": "Neutrino, Keyboard", "id": 2}'
    table = ["id,name", "1,Quantum Laptop", '2,"Neutrino, Keyboard"']

    assert read("jsonl", bom + newline.join((first, second))) == GOOD
    assert read("json", f"{bom}[{first},{newline}{second}]{newline}") == GOOD
    assert [row.line for row in read("csv", bom + newline.join(table))] == [2, 3]
    assert [cast(Row, row).name for row in read("csv", bom + newline.join(table))] == [good.name for good in GOOD]


def test_a_csv_header_may_name_the_columns_in_either_order() -> None:
    assert read("csv", "Name, ID\nLamp,7\n") == [Row(2, 7, "Lamp")]


@pytest.mark.parametrize("before", ["", "sep=;\r\n", "SEP=,\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_header_tells_the_separator_of_the_columns(before: str, separator: str) -> None:
    rows = read("csv", f'{before}name{separator}id\n"Lamp, a; small one"{separator}7\n')

    assert rows == [Row(3 if before else 2, 7, "Lamp, a; small one")]


def test_a_line_is_counted_where_its_row_begins() -> None:
    assert read("csv", 'id,name\n\n1,"two\nlines"\n2,b\n') == [Row(3, 1, "two\nlines"), Row(5, 2, "b")]
    assert read("json", '[\n\n{"id": 1,\n"name": "a"}\n,\n{"id": 2, "name": "b"}]') == [Row(3, 1, "a"), Row(6, 2, "b")]
    assert read("jsonl", '\n\n{"id": 1, "name": "a"}\n') == [Row(3, 1, "a")]


@pytest.mark.parametrize("content", ["[]", " [ ] ", "\ufeff[]\n"])
def test_an_empty_array_holds_no_rows(content: str) -> None:
    assert read("json", content) == []


def test_an_array_is_read_across_every_boundary_of_the_reader() -> None:
    items = [{"id": number, "name": "é" * (number % 200 + 1)} for number in range(1, 3000)]

    rows = read("json", json.dumps(items, ensure_ascii=False))

    assert [(row.id, row.name) for row in rows if isinstance(row, Row)] == [(i["id"], i["name"]) for i in items]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"name": "a"}, "id: is missing"),
        ({"id": None, "name": "a"}, "id: is missing"),
        ({"id": "1", "name": "a"}, "id: is not a whole number"),
        ({"id": 1.0, "name": "a"}, "id: is not a whole number"),
        ({"id": True, "name": "a"}, "id: is not a whole number"),
        ({"id": 0, "name": "a"}, f"id: is not between 1 and {MAX_ID}"),
        ({"id": MAX_ID + 1, "name": "a"}, f"id: is not between 1 and {MAX_ID}"),
        ({"id": 1}, "name: is missing"),
        ({"id": 1, "name": ""}, "name: is missing"),
        ({"id": 1, "name": " \t"}, "name: is blank"),
        ({"id": 1, "name": 5}, "name: is not a text"),
        ({"id": 1, "name": "x" * 201}, "name: is longer than 200 characters"),
        ({"id": 1, "name": "a\0b"}, "name: holds a NUL character"),
        ({"id": 1, "name": "\ud800"}, "name: holds half a surrogate pair"),
        ({"id": 1, "nmae": "a"}, "nmae: is not a field of a product; its fields are id and name"),
        (["id", 1], "is not an object"),
        (7, "is not an object"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_field(item: object, said: str) -> None:
    good = {"id": 1, "name": "x" * 200}

    assert [str(row) for row in read("jsonl", f"{json.dumps(good)}\n{json.dumps(item)}")[1:]] == [f"line 2: {said}"]
    assert [str(row) for row in read("json", f"[{json.dumps(good)},\n{json.dumps(item)}]")[1:]] == [f"line 2: {said}"]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("x,a", "id: is not a whole number"),
        ("-1,a", "id: is not a whole number"),
        ("1_0,a", "id: is not a whole number"),
        ("\u0663,a", "id: is not a whole number"),
        (",a", "id: is missing"),
        ("1,", "name: is missing"),
        ("1,a,b", "has 3 columns, not 2"),
        ("1", "has 1 columns, not 2"),
    ],
)
def test_a_bad_csv_row_is_named_with_its_line_and_field(cells: str, said: str) -> None:
    assert [str(row) for row in read("csv", f"id,name\n{cells}\n")] == [f"line 2: {said}"]


def test_a_bad_line_does_not_hide_the_next_ones() -> None:
    rows = read("jsonl", b'{"id": 1\n\xff\n{"id": 3, "name": "c"}\n[1\n')

    assert [str(row) for row in rows[:2]] == [
        "line 1: is not JSON: Expecting ',' delimiter",
        "line 2: is not UTF-8 (byte 1 of the line)",
    ]
    assert rows[2] == Row(3, 3, "c")
    assert str(rows[3]) == "line 4: is not JSON: Expecting ',' delimiter"


def test_a_csv_line_that_is_not_utf_8_is_named() -> None:
    assert [str(row) for row in read("csv", b"id,name\n1,a\n2,\xe9\n3,c\n")[1:2]] == [
        "line 3: is not UTF-8 (byte 3 of the line)"
    ]


@pytest.mark.parametrize(
    ("form", "content", "said"),
    [
        ("json", "", "line 1: is not a JSON array of objects"),
        ("json", '{"id": 1, "name": "a"}', "line 1: is not a JSON array of objects"),
        ("json", '[{"id": 1, "name": "a"}\n', "line 2: is not JSON: a comma or the end of the array is missing"),
        ("json", '[\n{"id" 1}]', "line 2: is not JSON: Expecting ':' delimiter"),
        ("json", "[]\n[]", "line 2: is not JSON: something follows the array"),
        ("json", "[" + "9" * 5_000, "line 1: is not JSON: a number has too many digits"),
        ("json", b'[\n{"id": 1, "name": "\xff"}]', "line 2: is not UTF-8"),
        ("json", '[{"id": 1, "name": "' + "x" * 400_000, "line 1: is longer than 65536 characters"),
        ("jsonl", "x" * (LONGEST_ROW + 1), "line 1: is longer than 65536 bytes"),
        ("csv", "", "line 1: the header must name id and name, and nothing else"),
        (
            "csv",
            "1,Quantum Laptop\n",
            "line 1: the header must name id and name, and nothing else; split at commas, it holds 1, Quantum Laptop",
        ),
        (
            "csv",
            "id;name;price\n",
            "line 1: the header must name id and name, and nothing else; split at semicolons, it holds id, name, price",
        ),
        (
            "csv",
            "id|name\n1|a\n",
            "line 1: the columns are separated by vertical bars; these are taken: commas, semicolons, tabs",
        ),
        ("csv", "id,name\r1,a\r", "line 1: the lines end in CR alone; save the file with LF or CR LF"),
        ("jsonl", '{"id": 1, "name": "a"}\r' * 2, "line 1: the lines end in CR alone; save the file with LF or CR LF"),
        ("csv", "id,name\n".encode("utf-16"), "line 1: the file is in UTF-16; save it in UTF-8"),
        ("json", "[]".encode("utf-32"), "line 1: the file is in UTF-32; save it in UTF-8"),
        ("jsonl", '{"id"'.encode("utf-16-be"), "line 1: the file is in UTF-16 or UTF-32; save it in UTF-8"),
        ("csv", 'id,name\n1,a\n2,"b\n', "line 3: is not CSV: unexpected end of data"),
    ],
)
def test_what_cannot_be_read_further_says_where(form: Format, content: str | bytes, said: str) -> None:
    assert unreadable(form, content) == said


# From Python 3.14 on, the thread's stack alone limits the depth, and such a text may be read to its end.
AT_THE_END = "Expecting value"


def test_absurd_nesting_is_a_fault_of_its_line() -> None:
    nested = "[" * 30_000 + "]" * 30_000
    rows = read("jsonl", f'{"[" * 50_000}\n{nested}\n{{"id": 1, "name": {nested}}}\n{{"id": 2, "name": "b"}}\n')

    reasons = [row.reason for row in rows if isinstance(row, BadRow)]
    assert reasons[0] in {"is not JSON: nested too deeply", f"is not JSON: {AT_THE_END}"}
    assert reasons[1] in {"is not JSON: nested too deeply", "is not an object"}
    assert reasons[2] in {"is not JSON: nested too deeply", "is not a text"}
    assert rows[3] == Row(4, 2, "b")
    assert unreadable("json", "[" * 50_000) in {
        "line 1: is not JSON: nested too deeply",
        f"line 1: is not JSON: {AT_THE_END}",
    }


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("a.json", "", "json"),
        ("a.JSONL", "", "jsonl"),
        ("a.ndjson", "[", "jsonl"),
        ("a.csv", "[", "csv"),
        ("-", "\ufeff [", "json"),
        ("-", '{"id"', "jsonl"),
        ("a.txt", "id,name", "csv"),
        ("-", "", "csv"),
    ],
)
def test_the_extension_tells_the_format_or_else_the_first_character(name: str, content: str, form: Format) -> None:
    assert format_of(Path(name), BufferedReader(cast(FileIO, BytesIO(content.encode())))) == form


def test_the_readers_hold_no_more_than_a_few_rows() -> None:
    class Endless(BytesIO):
        asked = 0

        def __init__(self, row: bytes) -> None:
            super().__init__()
            self.row = row

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            data = (self.row * (len(buffer) // len(self.row) + 1))[: len(buffer) // len(self.row) * len(self.row)]
            buffer[: len(data)] = data
            self.asked += len(data)
            return len(data)

    raw = Endless(b'{"id": 1, "name": "a"}\n')
    rows = read_rows(BufferedReader(cast(FileIO, raw)), "jsonl")

    assert [next(rows) for _ in range(10)][9] == Row(10, 1, "a")
    assert raw.asked < 1_000_000
