"""The story of `make demo` from messages of Alertmanager, and the load of a seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from demo import load, report
from demo.alerts import MISSING, Watch, of_this_story
from demo.faults import timetable
from demo.load import Answer
from demo.story import chapters
from tests.observability.prometheus_server import Prometheus, quick_rules, shipped_rule_files

BEGUN = datetime(2026, 11, 28, tzinfo=UTC)
SECONDS = 60
OF, BURN = "of orders-service, critical", "runbook: docs/runbooks/LatencyBudgetBurn.md"
JOBS = {"orders-service", "products-service"}


@pytest.fixture
def messages() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def watch(messages: list[dict[str, Any]]) -> Watch:
    prometheus: Any = Prometheus(0, None, None)  # type: ignore[arg-type] # none runs
    return Watch(prometheus, messages, begun=BEGUN.timestamp())


def message(alert: str, begins: float, ends: float | None = None, severity: str = "critical", **labels: str) -> Any:
    """Return a message about an alert of orders, as Alertmanager's webhook has it."""
    named = {"alertname": alert, "service": "orders-service", "severity": severity, **labels}
    times = [(BEGUN + timedelta(seconds=second)).isoformat().replace("+00:00", "Z") for second in (begins, ends or 0)]
    status = "firing" if ends is None else "resolved"
    return {"status": status, "labels": named, "startsAt": times[0], "endsAt": times[1], "fingerprint": str(named)}


def test_an_alert_is_told_when_it_fires_and_when_its_last_part_is_resolved(watch: Watch, messages: list[Any]) -> None:
    messages += [message("ServiceDown", 7, instance="a"), message("ServiceDown", 8, instance="b")]
    assert list(watch.news()) == ["alert: ServiceDown of orders-service, critical"]
    messages.append(message("ServiceDown", 7, 9, instance="a"))
    assert list(watch.news()) == []
    messages.append(message("ServiceDown", 8, 12, instance="b"))
    assert list(watch.news()) == ["resolved: ServiceDown of orders-service, critical"]

    (alert,) = watch.alerts
    assert (alert.begins, alert.ends) == (7, 12)


def test_a_critical_alert_takes_the_place_of_its_warning(watch: Watch, messages: list[Any]) -> None:
    messages += [message("HighErrorRate", 7, severity="warning"), message("HighErrorRate", 8)]
    messages += [message("HighErrorRate", 8, 12)]  # the suppressed warning sends nothing any more

    assert [words.partition(":")[0] for words in watch.news()] == ["alert", "alert", "resolved"]
    assert [(alert.severity, alert.begins, alert.ends) for alert in watch.alerts] == [("critical", 7, 12)]


def test_an_alert_belongs_to_the_fault_before_it(watch: Watch, messages: list[Any]) -> None:
    messages += [message("ServiceDown", 9), message("OutboxLag", 50, severity="warning"), message("OutboxLag", 70)]
    messages += [message("ServiceDown", 9, 15), message("LatencyBudgetBurn", 16, window="1h/5m")]
    list(watch.news())

    told = chapters([Answer(10, "order", 503, "busy", 2.0)], SECONDS, watch)

    assert [len(chapter.alerts or ()) for chapter in told] == [2, 0, 0, 1]
    assert str(told[0]).splitlines() == [
        "products does not answer: 1 requests, 1 x 503 busy; the slowest took 2.00 s.",
        f"  alert: ServiceDown {OF}, from 9.0 s to 15.0 s, resolved; runbook: docs/runbooks/ServiceDown.md",
        f"  alert: LatencyBudgetBurn {OF}, from 16.0 s on, not yet resolved: it looks back for minutes; {BURN}",
    ]
    assert str(told[1]).splitlines()[1:] == ["  no alert fired"]


def test_without_prometheus_the_story_names_the_runbook_and_the_report_says_why() -> None:
    told = chapters([], SECONDS, None)

    assert [str(chapter).splitlines()[1:] for chapter in told] == [
        [f"  runbook: docs/runbooks/{fault.runbook}.md"] for fault in timetable()
    ]
    assert MISSING in report.page("Title", told, [], SECONDS, "Result")


def test_the_report_draws_an_alert_from_its_begin_to_its_end(watch: Watch, messages: list[Any]) -> None:
    messages += [message("ServiceDown", 30), message("ServiceDown", 30, 45)]
    list(watch.news())

    page = report.page("<Title>", chapters([], SECONDS, watch), [], SECONDS, "Result")

    assert "&lt;Title&gt;" in page
    drawing = ElementTree.fromstring(page[page.rindex("<svg") : page.rindex("</svg>") + 6])
    (bar,) = [box for box in drawing.iter("rect") if "ServiceDown" in (box.findtext("title") or "")]
    axis = report.Axis(SECONDS)
    assert float(bar.attrib["x"]) == pytest.approx(axis.x(30), abs=0.1)
    assert float(bar.attrib["width"]) == pytest.approx(axis.x(45) - axis.x(30), abs=0.1)


def test_the_rules_of_the_story_are_the_shipped_ones_without_those_about_other_jobs() -> None:
    def alerts(documents: list[Any]) -> list[str]:
        return [
            rule["alert"] for one in documents for group in one["groups"] for rule in group["rules"] if "alert" in rule
        ]

    shipped = [yaml.safe_load(path.read_text()) for path in shipped_rule_files()]
    here = [of_this_story(quick_rules(path), JOBS) for path in shipped_rule_files()]

    assert {fault.runbook for fault in timetable()} <= set(alerts(here)) <= set(alerts(shipped))
    assert 'absent(up{job="gateway"})' in str(shipped)
    assert 'absent(up{job="gateway"})' not in str(here)
    assert "max by (job) (outbox_oldest_pending_age_seconds) > 1'" in str(here)  # 60 shipped


def test_a_seed_gives_the_same_load_and_another_seed_another_one() -> None:
    assert load.plan(1, 20) == load.plan(1, 20) != load.plan(2, 20)
    assert {doing for doing, _ in load.plan(1, 20)} == load.DOING.keys()
