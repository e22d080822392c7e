"""Durations have one spelling, and people read them in one unit."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta

import pytest

from ops.cli.arguments import duration, roughly


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("4w", timedelta(weeks=4)),
        ("0d", timedelta(0)),
        ("99999w", timedelta(weeks=99_999)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, meant: timedelta) -> None:
    assert duration(text) == meant


@pytest.mark.parametrize(
    "text",
    ["", "90", "d", "-1d", "+1d", "1.5d", "1d12h", "90D", "90 d", " 90d", "90d\n", "90m", "1_0d", "٣d", "100000w"],
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ArgumentTypeError) as refused:
        duration(text)

    assert str(refused.value) == f"{text!r} is not a duration such as 90d, 12h or 4w"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(0), "1 s"),
        (timedelta(seconds=89), "89 s"),
        (timedelta(seconds=90), "2 min"),
        (timedelta(minutes=89), "89 min"),
        (timedelta(minutes=90), "1.5 h"),
        (timedelta(days=2), "48.0 h"),
    ],
)
def test_a_rough_duration_has_one_unit(span: timedelta, words: str) -> None:
    assert roughly(span) == words
