"""Tables: aligned text in a pipe, ruled on a terminal."""

from __future__ import annotations

from io import StringIO

from django.core.management.base import OutputWrapper

from ops.cli.output import print_table

HEADER, ROWS = ["day", "orders", ""], [["2026-11-20", "5", "██"], ["others", "1,234", "[b]"]]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def printed(out: StringIO) -> str:
    print_table(OutputWrapper(out), HEADER, ROWS, align="<><")
    return out.getvalue()


def test_in_a_pipe_it_is_aligned_text_without_trailing_blanks() -> None:
    assert printed(StringIO()) == "day         orders\n2026-11-20       5  ██\nothers       1,234  [b]\n"


def test_on_a_terminal_it_has_rules_and_shows_every_character() -> None:
    text = printed(Terminal())

    assert "━" in text
    assert all(cell in text for row in [HEADER, *ROWS] for cell in row)
