"""The dashboards match the script and use declared metrics; tests/observability runs their queries."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from grafana import make_dashboards, panels
from grafana.panels import Dashboard
from tests.declared_metrics import declared_series
from tests.processes import PROJECTS, ROOT

DASHBOARDS = make_dashboards.dashboards()
SERVICES = [f"{project.removesuffix('_project')}-service" for project in PROJECTS]
OF_THE_SCRAPE = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "ALERTS"}  # Prometheus' own
LABELS_OF_PROMETHEUS = {"job", "instance", "le", "alertname", "alertstate", "severity"}

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)


def document_of(dashboard: Dashboard) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((make_dashboards.DASHBOARDS / f"{dashboard.uid}.json").read_text())
    return document


def provisioned_sources() -> dict[str, dict[str, Any]]:
    """Return the stack's data sources by their uid."""
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/datasources.yml").read_text())["datasources"]
    return {source["uid"]: source for source in sources}


def panels_of(dashboard: Dashboard) -> list[dict[str, Any]]:
    return [panel for panel in document_of(dashboard)["panels"] if panel["type"] != "row"]


@every_dashboard
def test_the_file_is_what_the_script_makes(dashboard: Dashboard) -> None:
    made = make_dashboards.dashboard_json(dashboard)

    assert (make_dashboards.DASHBOARDS / f"{dashboard.uid}.json").read_text() == made


@every_dashboard
def test_every_query_names_what_the_services_declare(dashboard: Dashboard) -> None:
    declared = declared_series()
    for expr in make_dashboards.expressions(dashboard):
        metrics = set(re.findall(r"([\w:]+)\{", expr)) or {"argos_build_info"}
        asked = set(re.findall(r'(\w+)\s*(?:=~|!=|!~|=)\s*"', expr))
        grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expr) for label in labels.split(",")}

        ours = {metric for metric in metrics - OF_THE_SCRAPE if ":" not in metric}
        assert ours <= set(declared), expr
        labels = set.union(LABELS_OF_PROMETHEUS, *(declared[metric] for metric in ours))
        assert asked | grouped <= labels | ({"service", "slo"} if metrics - ours else set()), expr


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_dashboard_of_its_own_that_leads_to_the_rest(service: str) -> None:
    (dashboard,) = [found for found in DASHBOARDS if found.uid == service]

    queries = [target["expr"] for panel in panels_of(dashboard) for target in panel["targets"]]
    assert all(f'job="{service}"' in expr for expr in queries)
    assert f"/d/service?var-service={service}" in [link["url"] for link in document_of(dashboard)["links"][1:]]


@every_dashboard
def test_every_panel_explains_itself(dashboard: Dashboard) -> None:
    document = document_of(dashboard)

    assert document["uid"] == dashboard.uid
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    for panel in panels_of(dashboard):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            last = re.findall(r"by \(([^)]*)\)", target["expr"])
            grouped = set(re.findall(r"\w+", " ".join(last)))
            assert target["legendFormat"]
            assert shown <= grouped | {"job", "instance"}, panel["title"]
            assert grouped - {"le"} <= shown, panel["title"]


@every_dashboard
def test_the_data_source_is_chosen_in_one_place_and_the_stacks_own_comes_first(dashboard: Dashboard) -> None:
    document = document_of(dashboard)
    choice = document["templating"]["list"][0]
    asking = [*panels_of(dashboard), *document["annotations"]["list"], *document["templating"]["list"][1:]]
    asking += [target for panel in panels_of(dashboard) for target in panel["targets"]]

    assert (choice["name"], choice["type"], choice["query"]) == ("datasource", "datasource", "prometheus")
    assert choice["current"]["value"] in provisioned_sources()
    assert [part["datasource"]["uid"] for part in asking] == ["${datasource}"] * len(asking)


@every_dashboard
def test_no_panel_lies_over_another(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()

    for panel in document_of(dashboard)["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken, panel["title"]
        assert grid["x"] + grid["w"] <= panels.COLUMNS
        taken |= cells


@every_dashboard
def test_titles_are_told_apart(dashboard: Dashboard) -> None:
    titles = [panel["title"] for panel in panels_of(dashboard)]

    assert len(set(titles)) == len(titles)


def test_an_exemplar_leads_to_its_trace() -> None:
    prometheus = provisioned_sources()["prometheus"]

    assert prometheus["jsonData"]["exemplarTraceIdDestinations"] == [{"name": "trace_id", "datasourceUid": "jaeger"}]
    shown = {d.uid for d in DASHBOARDS for p in panels_of(d) for target in p["targets"] if target["exemplar"]}
    assert shown >= {"argos-overview", "service", *SERVICES}


def test_the_overview_leads_to_the_graph_of_who_calls_whom() -> None:
    (overview,) = [dashboard for dashboard in DASHBOARDS if dashboard.uid == "argos-overview"]
    (link,) = [link for link in document_of(overview)["links"] if link["title"] == "Who calls whom"]

    (pane,) = json.loads(parse_qs(urlsplit(link["url"]).query)["panes"][0]).values()
    assert provisioned_sources()[pane["datasource"]]["type"] == "jaeger"
    assert [query["queryType"] for query in pane["queries"]] == ["dependencyGraph"]


@every_dashboard
def test_deploys_and_restarts_are_marked(dashboard: Dashboard) -> None:
    annotations = {found["name"]: found["expr"] for found in document_of(dashboard)["annotations"]["list"]}

    assert annotations.keys() == {"Deploys", "Restarts"}
    assert "argos_build_info" in annotations["Deploys"]


def test_each_query_becomes_a_rule_for_the_parser() -> None:
    rules = json.loads(make_dashboards.rules())["groups"][0]["rules"]

    assert len(rules) == sum(len(make_dashboards.expressions(dashboard)) for dashboard in DASHBOARDS)
    assert not [rule for rule in rules if "$" in rule["expr"]]
    assert len({rule["record"] for rule in rules}) == len(rules)


def test_every_file_is_made_by_the_script() -> None:
    assert {path.stem for path in make_dashboards.DASHBOARDS.iterdir()} == {dashboard.uid for dashboard in DASHBOARDS}
