"""scripts/pages.py takes from a page the rows and the links that a copy does not have."""

from __future__ import annotations

from pathlib import Path

from scripts.pages import anchors, without_links, without_names

TABLE = """\
| command | does |
|---|---|
| `migrate` | changes the schema |
| `place_order ID` | orders |
| `migrate`, `place_order`, `migrate` | both |
"""


def test_a_row_goes_with_the_last_of_its_names() -> None:
    left = without_names(TABLE, lambda name: name.split()[0] == "place_order")

    assert left == "| command | does |\n|---|---|\n| `migrate` | changes the schema |\n| `migrate` | both |\n"


def test_a_link_that_leads_nowhere_becomes_its_text(tmp_path: Path) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("# One thing\n")
    page.write_text("")
    here = "[a](other.md), [b](other.md#one-thing), [e](https://gone.example), [f](#here)"
    text = f"{here}, [c](other.md#gone), [d](gone.md)\n"

    left = without_links(text, page, tmp_path, {other.resolve(): anchors("# One thing\n"), page.resolve(): {"here"}})

    assert left == f"{here}, c, d\n"


def test_a_picture_that_is_gone_leaves_no_text(tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    text = "![One](there.png)\n\n![Two](gone.png)\n\nEnd.\n"

    assert without_links(text, tmp_path / "page.md", tmp_path, {}) == "![One](there.png)\n\n\n\nEnd.\n"
