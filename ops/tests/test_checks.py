"""Each system check reports its fault and is silent otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from ops.diagnosis.checks import check_settings
from ops.settings import MIDDLEWARE

DATABASES = {"default": {**settings.DATABASES["default"], "ENGINE": "django.db.backends.sqlite3"}}


def found(**changed: Any) -> list[str | None]:
    with override_settings(**changed):
        return [message.id for message in check_settings(None)]


def test_sound_settings_raise_nothing() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("check", "changed"),
    [
        ("ops.E001", {"MIDDLEWARE": ["django.middleware.common.CommonMiddleware", *MIDDLEWARE]}),
        ("ops.E001", {"MIDDLEWARE": []}),
        ("ops.E002", {"REST_FRAMEWORK": {}}),
        ("ops.E003", {"APPEND_SLASH": True}),
        ("ops.E004", {"DATABASES": DATABASES}),
        ("ops.E005", {"DEBUG": True}),
    ],
)
@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_a_careless_edit_is_reported_by_its_id(check: str, changed: dict[str, Any]) -> None:
    assert found(**changed) == [check]


def test_several_careless_edits_are_reported_together() -> None:
    assert found(DEBUG=True, APPEND_SLASH=True) == ["ops.E003", "ops.E005"]
