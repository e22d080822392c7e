"""check_config --connect and doctor ask where EVENTS_URL leads, and send no event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.tests.settings import ShopConfig
from ops.management.commands import check_config, doctor
from ops.tests.peers import answering, refused, silent
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db(transaction=True)


def connect() -> tuple[object, str]:
    """Return the exit code of check_config --connect, and what it says of EVENTS_URL."""
    code, output, _ = run(check_config.Command(ShopConfig), "--connect", "--json")
    assert "canary" not in output
    return code, json.loads(output)["connections"]["EVENTS_URL"]


def test_connect_asks_an_inbox_with_a_token_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(405, 401) as (inbox, asked):
        monkeypatch.setenv("EVENTS_URL", f"{inbox}/events")

        takes_post_only, refuses_the_token = connect()[1], connect()[1]

    assert (takes_post_only, refuses_the_token) == ("answers", "answers 401")
    assert asked == ["GET /events"] * 2


def test_connect_says_why_a_broker_cannot_be_used_and_not_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200) as (no_broker, _), silent() as listener:
        for address, why in ((refused(), "Connection refused"), (listener, "no answer"), (no_broker, "")):
            monkeypatch.setenv("EVENTS_URL", address.replace("http://", "amqp://me:canary@"))

            code, said = connect()

            assert code == 1
            assert said.startswith(why)


def test_a_broker_that_refuses_is_a_warning_of_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTS_URL", refused().replace("http://", "amqp://me:canary@"))

    code, output, _ = run(doctor.Command(ShopConfig), "--json")

    found: list[dict[str, Any]] = [line for line in json.loads(output)["checks"] if line["id"] == "events.reachable"]
    assert code == 0
    assert [(line["level"], line["says"]) for line in found] == [("warning", "EVENTS_URL: Connection refused")]
    assert "canary" not in output
