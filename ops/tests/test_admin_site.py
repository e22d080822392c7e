"""A list of the admin refuses the filters that it cannot apply: 400, never a 500."""

from __future__ import annotations

import pytest

from ops.tests.clients import anonymous, staff
from ops.tests.problem_shape import assert_problem

pytestmark = pytest.mark.django_db

LIST = "/admin/auth/user/"


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "username=%00",
        "username__gt=a%00",
        "%00=a",
        "username__regex=(",
        "username__iregex=(",
        "date_joined__year=10000",
        "date_joined__gt=9999-99-99",
        "is_staff__exact=x",
        "id__in=x",
        "nothing__exact=1",
    ],
)
def test_a_filter_that_means_nothing_is_refused(query: str) -> None:
    assert_problem(staff().get(f"{LIST}?{query}"), 400, "bad_request")


@pytest.mark.parametrize(
    "query", ["q=(", "q=staff", "is_staff__exact=1", "date_joined__year=2026", "o=1", "e=1", "all="]
)
def test_other_filters_are_applied(query: str) -> None:
    assert staff().get(f"{LIST}?{query}").status_code == 200


def test_an_anonymous_visitor_is_still_sent_to_the_login() -> None:
    assert anonymous().get(f"{LIST}?q=%00").status_code == 302
