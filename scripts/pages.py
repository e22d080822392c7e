"""Edit Markdown pages for a copy that lacks some files, names and headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

LINK = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")
Tell = Callable[[str], bool]


def without_names(page: str, is_gone: Tell) -> str:
    """Return the page without the rows whose first cell has only names in backquotes that are gone."""
    return "".join(row_without(line, is_gone) for line in page.splitlines(keepends=True))


def row_without(line: str, is_gone: Tell) -> str:
    """Return a line of a page; a row of a table loses the names of its first cell that are gone, or itself."""
    if not line.startswith("| `"):
        return line
    cell, bar, rest = line[2:].partition(" |")
    names = re.split(r", (?=`)", cell)
    kept = [name for name in names if not is_gone(name.strip("`"))]
    return f"| {', '.join(dict.fromkeys(kept))}{bar}{rest}" if kept else ""


def without_links(page: str, at: Path, root: Path, headings: Mapping[Path, set[str]]) -> str:
    """Return the page with the text alone of each link to a file or a heading that the copy does not have."""

    def link_or_text(found: re.Match[str]) -> str:
        target, _, fragment = found[2].partition("#")
        if re.match(r"\w+:", found[2]):
            return found[0]
        file = (at.parent / target).resolve() if target else at.resolve()
        known = file.exists() and (not fragment or file not in headings or fragment in headings[file])
        return found[0] if known and root.resolve() in (file, *file.parents) else found[1]

    return re.sub(r"^!.*\n", _picture(at), LINK.sub(link_or_text, page), flags=re.MULTILINE)


def _picture(at: Path) -> Callable[[re.Match[str]], str]:
    """Return a function that keeps the line of a picture only where its file exists; its link became its text."""
    return lambda found: found[0] if LINK.search(found[0]) else "\n"


def anchors(page: str) -> set[str]:
    """Return the fragments of the headings of a page."""
    found = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in found}
