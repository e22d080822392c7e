"""Edit files by their structure, so that an edit survives changes of the lines around it.

A block is a line and the lines that are indented below it; a document is a part of a YAML file between `---`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

Rename = Callable[[str], str]
FLOW_LIST = re.compile(r"\[([^][{}\n]*)\]")


class Unfit(Exception):
    """A file does not have the place that an edit needs."""


def indent_of(line: str) -> int:
    return len(line) - len(line.lstrip())


def end_of_block(lines: list[str], start: int) -> int:
    """Return the number of the line after a block."""
    end = start + 1
    for number in range(start + 1, len(lines)):
        if lines[number].strip():
            if indent_of(lines[number]) <= indent_of(lines[start]):
                break
            end = number + 1
    return end


def with_copy(text: str, beginning: str, rename: Rename) -> str:
    """Return the text with a renamed copy of the one block that begins so after it."""
    lines = text.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line.startswith(beginning)]
    if len(starts) != 1:
        raise Unfit(f"{beginning.strip()!r} begins {len(starts)} blocks instead of one")
    end = end_of_block(lines, starts[0])
    gap = ["\n"] if end - starts[0] > 1 else []
    return "".join([*lines[:end], *gap, *map(rename, lines[starts[0] : end]), *lines[end:]])


def with_document(text: str, name: str, rename: Rename) -> str:
    """Return the YAML text with a renamed copy of each document of this name at its end."""
    copies = [rename(document) for document in text.split("---\n") if name_of(document) == name]
    if not copies:
        raise Unfit(f"the document {name!r} is missing")
    return "---\n".join([text, *copies])


def name_of(document: str) -> str:
    """Return the name in the metadata of a Kubernetes object."""
    found = re.search(r"^metadata: *(?:\{|\n +)name: ([\w-]+)", document, re.MULTILINE)
    return found[1] if found else ""


def with_items(text: str, beside: Collection[str], addition: str) -> str:
    """Return the text with more items in each list in brackets that has the items beside which they belong."""
    count = 0

    def extended(found: re.Match[str]) -> str:
        nonlocal count
        if not {*beside} <= {item.strip() for item in found[1].split(",")}:
            return found[0]
        count += 1
        return f"[{found[1]}, {addition}]"

    text = FLOW_LIST.sub(extended, text)
    if not count:
        raise Unfit(f"no list in brackets has {' and '.join(beside)}")
    return text


def with_name(text: str, before: str, addition: str) -> str:
    """Return the text with an addition after each occurrence of a text."""
    if before not in text:
        raise Unfit(f"{before!r} is missing")
    return text.replace(before, before + addition)


def without(text: str, is_gone: Callable[[str], bool]) -> str:
    """Return the text without each document, item of a list in brackets, and block that is gone by its first line."""
    documents = [document for document in text.split("---\n") if not is_gone(name_of(document))]
    text = FLOW_LIST.sub(lambda found: f"[{without_items(found[1], is_gone)}]", "---\n".join(documents))
    lines, kept = text.splitlines(keepends=True), []
    number = 0
    while number < len(lines):
        if not is_gone(lines[number]):
            kept.append(lines[number])
            number += 1
            continue
        while kept and kept[-1].lstrip().startswith("@") and indent_of(kept[-1]) == indent_of(lines[number]):
            kept.pop()  # a decorator
        start, number = number, end_of_block(lines, number)
        if number < len(lines) and re.match(rf" {{{indent_of(lines[start])}}}[])}}]", lines[number]):
            number += 1  # the bracket that the block opened
        while number < len(lines) and not lines[number].strip() and not (kept and kept[-1].strip()):
            number += 1  # the empty lines after it
    return "".join(kept).strip("\n") + "\n"


def without_items(items: str, is_gone: Callable[[str], bool]) -> str:
    """Return the items of a list in brackets without those that are gone."""
    kept = [item for item in items.split(",") if not is_gone(item)]
    return ",".join(kept).strip() if len(kept) < items.count(",") + 1 else items
