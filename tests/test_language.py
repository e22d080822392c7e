"""The part of CONTRIBUTING's rules of language that a machine can hold."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import PROJECTS, ROOT

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
PACKAGES = ("ops", "events", *PROJECTS, "template", "tests", "bench", "demo", "grafana", "kubernetes", "prometheus")
LONGEST_SENTENCE = 25

FAULTS = {
    "calls a process a person": r"\b(?:who(?:m)?ever|some(?:body|one)|no(?:body| one)|any(?:body|one))\b",
    "has a clause about who": r", who\b|^Who\b(?!.*\?$)",
    "begins with what": r"^What(?:ever)?\b(?!.*[?:]$)",
    "says is no for is not": r"\b(?:is|are|was|were) no\b(?! longer\b)",
}


def blocks(page: str) -> Iterator[tuple[str, bool]]:
    """Yield each block of text of a Markdown page, and whether it is prose: a paragraph or an item of a list."""
    page = re.sub(r"^( *)```.*?^\1```$", "", page, flags=re.DOTALL | re.MULTILINE)
    page = re.sub(r"<!--.*?-->|^!\[.*$|^.*[├└].*$", "", page, flags=re.MULTILINE)
    page = re.sub(r"`[^`]+`", "CODE", page)
    page = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", page)
    page = re.sub(r"^( *(?:[-*]|\d+\.) )", r"\n\1", page, flags=re.MULTILINE)
    for block in re.split(r"\n\s*\n|\n(?=[|#])", page):
        if block.startswith("|"):
            yield from ((cell.strip(), False) for cell in block.split("|"))
        elif not block.startswith("#"):
            yield " ".join(re.sub(r"^ *(?:[-*]|\d+\.) ", "", block.strip("\n")).replace("**", "").split()), True


def docstrings_and_comments(source: str) -> Iterator[str]:
    """Yield each paragraph of a module's docstrings, and its comments, whose consecutive lines are one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            without_code = re.sub(r"^ {2,}.*$", "", text, flags=re.MULTILINE)
            yield from (block for block, prose in blocks(without_code) if prose)
    comment = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comment += " " + token.string.lstrip("#! ")
        if comment and token.type != tokenize.COMMENT and (token.type != tokenize.NL or token.line.strip()[:1] != "#"):
            yield re.sub(r"`[^`]+`", "CODE", comment.strip())
            comment = ""


def sentences(block: str) -> list[str]:
    """Return the sentences of a block; what a colon introduces is one of its own."""
    return re.split(r"(?<=[.?!:])[)”\"]? +", block)


def faults(sentence: str, *, prose: bool = True) -> Iterator[str]:
    """Yield what the rules have against a sentence."""
    yield from (name for name, pattern in FAULTS.items() if re.search(pattern, sentence, flags=re.IGNORECASE))
    words = re.findall(r"\w[\w'./-]*", sentence)
    if prose and len(words) > LONGEST_SENTENCE:
        yield f"has {len(words)} words"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_written_in_plain_english(page: Path) -> None:
    found = [
        f"{fault}: {sentence}"
        for block, prose in blocks(page.read_text())
        for sentence in sentences(block)
        for fault in faults(sentence, prose=prose)
    ]

    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_and_comments_are_written_in_plain_english(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {fault}: {sentence}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for block in docstrings_and_comments(path.read_text())
        for sentence in sentences(block)
        for fault in faults(sentence)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("sentence", "fault"),
    [
        ("Whoever waits for somebody lets the next one go.", "calls a process a person"),
        ("Nobody waits.", "calls a process a person"),
        ("It belongs to the client, who may retry.", "has a clause about who"),
        ("Who comes second changes no row.", "has a clause about who"),
        ("What is stored stays stored.", "begins with what"),
        ("A header is no body.", "says is no for is not"),
        (" ".join(["word"] * 26) + ".", "has 26 words"),
    ],
)
def test_each_rule_finds_its_example(sentence: str, fault: str) -> None:
    assert fault in set(faults(sentence))


def test_a_question_and_code_are_left_alone() -> None:
    page = "Who is asked?\n\n```text\nNobody is no body.\n```\n\nIt is no longer `nobody`.\n"

    assert [fault for block, _ in blocks(page) for sentence in sentences(block) for fault in faults(sentence)] == []
