"""Every purge takes the same options, asks only before it deletes something, and stops after a batch."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.db.models import QuerySet
from django.utils import timezone

from ops.cli.purge import PurgeCommand
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 5, 1, tzinfo=UTC)


class Purge(PurgeCommand):
    noun, what = "user", "joined"

    def rows(self, before: datetime) -> QuerySet[Any, Any]:
        return User.objects.filter(date_joined__lt=before)


@pytest.fixture(autouse=True)
def _users() -> None:
    """Leave three old users and a young one."""
    for number in range(3):
        User.objects.create(username=f"old{number}", date_joined=LONG_AGO)
    User.objects.create(username="young")


def purge(*options: str) -> tuple[object, str, str]:
    return run(Purge(), "--pause", "0", *options)


@pytest.mark.parametrize("age", [("--older-than", "90d"), ("--before", "2020-06-01")])
def test_it_takes_a_duration_or_a_date(age: tuple[str, str]) -> None:
    code, output, errors = purge(*age, "--yes", "--batch", "2")

    assert (code, errors) == (0, "")
    assert output.startswith("Purged 3 users joined before 20")
    assert list(User.objects.values_list("username", flat=True)) == ["young"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((), "one of the arguments --older-than --before is required"),
        (("--older-than", "90d", "--before", "2020-06-01"), "not allowed with argument"),
        (("--older-than", "23h"), "'23h' is less than 1d"),
        (("--before", (timezone.now() - timedelta(hours=23)).isoformat()), "is less than 1d ago"),
    ],
)
def test_it_refuses_no_age_two_ages_and_the_last_day(options: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        purge(*options, "--yes")

    assert User.objects.count() == 4


def test_without_a_terminal_it_wants_yes_but_not_to_delete_nothing() -> None:
    assert purge("--older-than", "90d")[0] == 2
    assert purge("--before", "2019-01-01")[:2] == (0, "Purged 0 users joined before 2019-01-01T00:00:00Z.\n")
    assert User.objects.count() == 4


def test_a_dry_run_counts() -> None:
    code, output, _ = purge("--before", "2020-06-01", "--dry-run", "--json")

    document = json.loads(output)
    assert (code, document["counts"], document["dryRun"]) == (0, {"purgeable": 3, "kept": 0}, True)
    assert document["summary"] == "Would purge 3 users joined before 2020-06-01T00:00:00Z. Nothing was changed."


def test_a_signal_ends_it_after_the_batch_in_hand() -> None:
    command = Purge()
    command.stopping = True

    code, _, errors = run(command, "--older-than", "90d", "--batch", "1", "--yes")

    assert code == 1
    assert errors.endswith("2 are left: stopped by a signal. Run it again to go on.\n")
    assert User.objects.count() == 3
