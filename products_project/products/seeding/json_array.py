"""Read a JSON array element by element, as `json` would hold the whole array in memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from products_project.products.seeding.rows import LONGEST_ROW, Unreadable


def read_array(stream: BufferedReader) -> Iterator[tuple[int, Any]]:
    """Yield each element with its first line; raise Unreadable if the text is not a JSON array."""
    text = _Window(stream)
    if text.next_character() != "[":
        raise Unreadable(text.line, "is not a JSON array of objects")
    text.skip()
    if text.next_character() != "]":
        while True:
            yield text.line, text.take_value()
            separator = text.next_character()
            if separator == "]":
                break
            if separator != ",":
                raise Unreadable(text.line, "is not JSON: a comma or the end of the array is missing")
            text.skip()
            text.next_character()
    text.skip()
    if text.next_character():
        raise Unreadable(text.line, "is not JSON: something follows the array")


def json_reason(error: ValueError | RecursionError) -> str:
    """Return a short reason why a text is not JSON."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else "a number has too many digits"


class _Window:
    """The next part of the text: at least LONGEST_ROW characters, if that many are left."""

    _decoder = json.JSONDecoder()
    _blank = re.compile(r"[ \t\r\n]*")

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text = ""
        self._place = 0
        self._ended = False
        self.line = 1

    def next_character(self) -> str:
        """Skip blanks and return the next character; empty at the end of the text."""
        while True:
            self._fill()
            match = self._blank.match(self._text, self._place)
            self._advance(match.end() if match else self._place)
            if self._place < len(self._text) or self._ended:
                return self._text[self._place : self._place + 1]

    def skip(self) -> None:
        """Skip the character that next_character returned."""
        self._advance(self._place + 1)

    def take_value(self) -> Any:
        """Return and skip the JSON value here."""
        self._fill()
        try:
            value, end = self._decoder.raw_decode(self._text, self._place)
        except (ValueError, RecursionError) as error:
            if not self._ended and self._is_cut_off(error):
                raise Unreadable(self.line, f"is longer than {LONGEST_ROW} characters") from None
            raise Unreadable(self.line, f"is not JSON: {json_reason(error)}") from None
        self._advance(end)
        return value

    def _is_cut_off(self, error: ValueError | RecursionError) -> bool:
        """Return whether the value continues after the window; for a string, the decoder reports its start."""
        if not isinstance(error, json.JSONDecodeError):
            return False
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - 1

    def _advance(self, place: int) -> None:
        self.line += self._text.count("\n", self._place, place)
        self._place = place

    def _fill(self) -> None:
        while not self._ended and len(self._text) - self._place < LONGEST_ROW:
            data = self._stream.read(4 * LONGEST_ROW)
            self._ended = not data
            try:
                more = self._decode(data, final=self._ended)
            except UnicodeDecodeError as error:
                before = self._text[self._place :].encode(errors="replace") + error.object[: error.start]
                raise Unreadable(self.line + before.count(b"\n"), "is not UTF-8") from None
            self._text = self._text[self._place :] + more
            self._place = 0
