"""An answered write survives a power cut: both databases wait for the disk at each commit."""

from __future__ import annotations

import pytest
from django.db import connection

SYNCHRONOUS_FULL = 2  # https://www.sqlite.org/pragma.html#pragma_synchronous


@pytest.mark.django_db
def test_a_commit_waits_for_the_disk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit" if connection.vendor == "postgresql" else "PRAGMA synchronous")
        found = cursor.fetchone()

    assert found == (("on",) if connection.vendor == "postgresql" else (SYNCHRONOUS_FULL,))
