"""Every shipped or documented expression returns data from the real services after suitable traffic."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
import yaml

from grafana import make_dashboards
from tests.observability.eventful_stack import WINDOW, EventfulStack
from tests.observability.prometheus_server import shipped_rule_files
from tests.processes import ROOT

# Expressions, or parts of them, without a series in this test, and the reasons.
EXCEPTIONS = {
    f'absent(up{{job="{job}"}})': "it has a series only while nobody watches the service; test_alerts.py shows it"
    for job in ("orders-service", "products-service", "gateway")
} | {
    "offset 26h": "no service of this stack is watched for a day; promtool's unit tests show the alert",
    "otelcol_": "Jaeger's own metrics; test_jaeger.py shows them where there is a Jaeger",
    'events_consumed_total{outcome="dead"}': "no event of this stack is given up; test_dead_letters.py shows one",
}
if not os.environ.get("TEST_DATABASE_URL"):
    EXCEPTIONS["database_connections"] = "SQLite has no connections"
COMPARISON = re.compile(r"\s(?:==|!=|>=|<=|>|<)\s*(?:bool\s*)?-?\d[\d.e]*(?:\s*[*/+-]\s*[\d.e]+)*")


def as_grafana_sends_it(expr: str, service: str) -> str:
    """Return the expression with Grafana's variables replaced."""
    several = "orders-service|products-service"
    return make_dashboards.substituted(
        expr, {"$__rate_interval": WINDOW, '=~"$service"': f'=~"{several}"', "$service": service}
    )


def of_dashboards() -> Iterator[tuple[str, str]]:
    for dashboard in make_dashboards.dashboards():
        for expr in make_dashboards.expressions(dashboard):
            yield dashboard.uid, as_grafana_sends_it(expr, "orders-service")


def of_documents() -> Iterator[tuple[str, str]]:
    for page in sorted(ROOT.glob("docs/**/*.md")):
        for block in re.findall(r"^ *```promql\n(.*?)^ *```$", page.read_text(), flags=re.MULTILINE | re.DOTALL):
            yield str(page.relative_to(ROOT)), re.sub(r"^ *#.*\n", "", block, flags=re.MULTILINE).strip()


def of_rules() -> Iterator[tuple[str, str]]:
    """Yield each rule's expression; an alert's without its limits."""
    for path in shipped_rule_files():
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield rule.get("alert") or rule["record"], COMPARISON.sub("", rule["expr"].strip())


def is_excepted(expr: str) -> bool:
    return any(part in expr for part in EXCEPTIONS)


def everywhere() -> Iterator[tuple[str, str]]:
    yield from (*of_dashboards(), *of_documents(), *of_rules())


@pytest.mark.parametrize("source", [of_dashboards, of_documents, of_rules])
def test_every_expression_returns_a_series(eventful: EventfulStack, source) -> None:
    expressions = list(dict.fromkeys(source()))

    empty = [(name, expr) for name, expr in expressions if not is_excepted(expr) and not eventful.range(expr)]

    assert empty == []
    if source is not of_documents:
        assert len(expressions) > 40


def test_every_part_of_an_expression_selects_something(eventful: EventfulStack) -> None:
    """`or vector(0)` would hide a misspelt part."""
    found = {part for _, expr in everywhere() for part in re.findall(r"[\w:]+\{[^}]*\}", expr)}
    selectors = {part for part in found if not part.startswith("ALERTS{")}  # not every alert fires here

    empty = [part for part in sorted(selectors) if not is_excepted(part) and not eventful.range(part)]

    assert empty == []


def test_every_exception_is_still_of_an_expression() -> None:
    everything = " ".join(expr for _, expr in everywhere())

    assert [part for part in EXCEPTIONS if part not in everything] == []


def test_an_alert_compares_what_is_asked_for() -> None:
    assert COMPARISON.sub("", 'time() - last{a="b"} > 26 * 3600') == 'time() - last{a="b"}'
    assert COMPARISON.sub("", "a > 14.4\nand b > 14.4") == "a\nand b"
    assert COMPARISON.sub("", "min by (job) (ready) == 0") == "min by (job) (ready)"


def test_the_dashboard_of_any_service_shows_products_too(eventful: EventfulStack) -> None:
    (dashboard,) = [found for found in make_dashboards.dashboards() if found.uid == "service"]
    outbound = {
        expr for title, row in dashboard.rows.items() if "Outbound" in title for panel in row for expr in panel.queries
    }

    for expr in make_dashboards.expressions(dashboard):
        sent = as_grafana_sends_it(expr, "products-service")
        may_be_empty = expr in outbound or "new_connection_errors" in expr or is_excepted(sent)
        assert may_be_empty or eventful.range(sent), sent
