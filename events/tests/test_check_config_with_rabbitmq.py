"""check_config --connect logs in to the broker that EVENTS_URL names."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from events.tests.rabbitmq import Broker, url
from ops.management.commands.check_config import Command
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db(transaction=True)


def connect() -> tuple[object, dict[str, Any]]:
    """Return the exit code and the result of each connection."""
    code, output, _ = run(Command(), "--connect", "--json")
    return code, json.loads(output)["connections"]


def test_it_logs_in_and_shows_no_password_when_refused(monkeypatch: pytest.MonkeyPatch, rabbitmq: Broker) -> None:
    monkeypatch.setenv("EVENTS_URL", url())
    welcomed = connect()
    monkeypatch.setenv("EVENTS_URL", re.sub("://.*@", "://nobody:canary@", url()))
    code, refused = connect()

    assert welcomed == (0, {"DATABASE_URL": "answers", "EVENTS_URL": "answers"})
    assert code == 1
    assert "ACCESS_REFUSED" in refused["EVENTS_URL"]
    assert "canary" not in str(refused)
