"""Every expression that Argos ships or shows returns data from the real services, after traffic that touches it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
import yaml

from grafana import make_dashboards
from tests.observability.prometheus_server import shipped_rule_files
from tests.observability.watched_stack import WINDOW, Watched
from tests.processes import ROOT

# What has no series in this test, and why.
EXCEPTIONS = {
    'max by (alertname, severity, job) (ALERTS{alertstate="firing"})': "test_alerts.py makes alerts fire",
}
if not os.environ.get("TEST_DATABASE_URL"):
    EXCEPTIONS |= {
        f'max(database_connections{which}{{job="orders-service"}})': "SQLite has no connections"
        for which in ("", "_limit")
    }
COMPARISON = re.compile(r"\s(?:==|!=|>=|<=|>|<)\s*(?:bool\s*)?[-+]?[\d.e+*/() ]+$")


def as_grafana_sends_it(expr: str, service: str) -> str:
    """Return the expression with Grafana's words replaced."""
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
    """Yield each rule's expression; of an alert's, what it compares."""
    for path in shipped_rule_files():
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield rule.get("alert") or rule["record"], COMPARISON.sub("", rule["expr"].strip())


@pytest.mark.parametrize("source", [of_dashboards, of_documents, of_rules])
def test_every_expression_returns_a_series(watched: Watched, source) -> None:
    expressions = list(dict.fromkeys(source()))

    empty = [(name, expr) for name, expr in expressions if expr not in EXCEPTIONS and not watched.range(expr)]

    assert empty == []
    if source is of_dashboards:
        assert len(expressions) > 80


def test_every_part_of_an_expression_selects_something(watched: Watched) -> None:
    """Or a misspelt part would hide behind `or vector(0)`."""
    selectors = {
        selector
        for _, expr in (*of_dashboards(), *of_documents(), *of_rules())
        for selector in re.findall(r"\w+\{[^}]*\}", expr)
        if not selector.startswith("ALERTS") and not any(selector in expr for expr in EXCEPTIONS)
    }

    assert [selector for selector in sorted(selectors) if not watched.range(selector)] == []


def test_every_exception_is_still_one_of_a_dashboard() -> None:
    assert EXCEPTIONS.keys() <= {expr for _, expr in of_dashboards()} | {expr for _, expr in of_rules()}


def test_the_dashboard_of_any_service_shows_products_too(watched: Watched) -> None:
    (dashboard,) = [found for found in make_dashboards.dashboards() if found.uid == "service"]
    outbound = {
        expr for title, row in dashboard.rows.items() if "Outbound" in title for panel in row for expr in panel.queries
    }
    failures = {expr for expr in make_dashboards.expressions(dashboard) if "_errors_total" in expr}

    for expr in make_dashboards.expressions(dashboard):
        sent = as_grafana_sends_it(expr, "products-service")
        assert watched.range(sent) or expr in outbound | failures or "database_connections" in sent, sent
