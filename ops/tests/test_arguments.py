"""Times, intervals and numbers given to commands."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime

import pytest
from django.core.management.base import CommandError

from ops.cli.arguments import check_interval, moment, whole_number

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-20T12:00:00Z", "2026-11-20 12:00", "2026-11-20T14:00+02:00", "20261120T12Z"])
def test_a_time_is_one_of_utc_unless_it_says_otherwise(text: str) -> None:
    assert moment(text) == NOON
    assert moment(text).utcoffset() is not None


def test_a_date_means_its_first_moment() -> None:
    assert moment("2026-11-20") == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30", "20/11/2026", "0001-01-01T00:00+23:00"])
def test_what_is_no_time_is_quoted(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not an ISO 8601 date or time, such as 2026-11-20") as refused:
        moment(text)

    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("until", [NOON, datetime(2026, 1, 1, tzinfo=UTC)])
def test_an_interval_that_holds_nothing_names_both_options(until: datetime) -> None:
    with pytest.raises(CommandError, match=r"--since 2026-11-20T12:00:00Z is not before --until 2026-") as refused:
        check_interval(NOON, until)

    assert refused.value.returncode == 2


def test_an_interval_may_be_open() -> None:
    check_interval(NOON, None)
    check_interval(None, NOON)


def test_a_whole_number_is_within_its_bounds() -> None:
    assert [whole_number(1, 100)(text) for text in ("1", "100", "042")] == [1, 100, 42]


@pytest.mark.parametrize("text", ["0", "101", "-1", "1.0", "", "x", "٣", "1_0", "9" * 5000])
def test_another_number_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a whole number from 1 to 100"):
        whole_number(1, 100)(text)
