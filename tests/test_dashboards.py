"""The dashboards ask for what the running services really export."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from grafana import make_dashboards, panels
from tests.processes import Service, manage, running_stack

SERVICES = ("products-service", "orders-service")
OF_THE_SCRAPE = {"up"}  # Prometheus' own, for each target
LABELS_OF_THE_SCRAPE = {"job", "instance"}

Exported = dict[str, set[str]]  # each metric's labels


def dashboard(service: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((make_dashboards.DASHBOARDS / f"{service}.json").read_text())
    return document


def exported_by(service: Service) -> Exported:
    found: Exported = {}
    for family in text_string_to_metric_families(requests.get(f"{service.url}/metrics", timeout=30).text):
        # A counter of something that never happened yet has no series, yet is there.
        found.setdefault(f"{family.name}_total" if family.type == "counter" else family.name, set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Exported]]:
    """What each service exports after an order, a rejected order, and the loss of its tables."""
    with running_stack(tmp_path_factory.mktemp("dashboards")) as stack:
        stack.place_order(product_id=1)
        stack.place_order(product_id=999)
        for service, app in ((stack.orders, "orders"), (stack.products, "products")):
            assert manage(service.project, "migrate", app, "zero", env=service.env).returncode == 0
            assert stack.place_order(product_id=1).status_code == 500
        yield {"products-service": exported_by(stack.products), "orders-service": exported_by(stack.orders)}


@pytest.mark.parametrize("service", SERVICES)
def test_the_file_is_what_the_script_makes(service: str) -> None:
    made = make_dashboards.dashboard_json(service, panels.dashboards()[service])

    assert (make_dashboards.DASHBOARDS / f"{service}.json").read_text() == made


@pytest.mark.parametrize("service", SERVICES)
def test_every_query_names_what_the_service_exports(service: str, exported: dict[str, Exported]) -> None:
    known = exported[service]

    for expr in make_dashboards.expressions(dashboard(service)):
        metrics = set(re.findall(r"(\w+)\{", expr))
        asked = set(re.findall(r'(\w+)\s*(?:=~|!=|!~|=)\s*"', expr))
        grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", expr) for label in labels.split(",")}

        assert metrics, expr
        assert metrics - OF_THE_SCRAPE <= set(known), expr
        labels = set.union(LABELS_OF_THE_SCRAPE, *(known.get(metric, set()) for metric in metrics))
        assert asked | grouped <= labels, expr
        assert f'job="{service}"' in expr


@pytest.mark.parametrize("service", SERVICES)
def test_every_panel_explains_itself(service: str) -> None:
    document = dashboard(service)
    panels = [panel for panel in document["panels"] if panel["type"] != "row"]

    assert document["uid"] == service
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    for panel in panels:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "prometheus"
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            assert target["legendFormat"]
            assert shown <= grouped | LABELS_OF_THE_SCRAPE, panel["title"]
            assert grouped - {"le"} <= shown, panel["title"]


@pytest.mark.parametrize("service", SERVICES)
def test_no_panel_lies_over_another(service: str) -> None:
    taken: set[tuple[int, int]] = set()

    for panel in dashboard(service)["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken, panel["title"]
        assert grid["x"] + grid["w"] <= panels.COLUMNS
        taken |= cells


def test_each_query_becomes_a_rule_for_the_parser() -> None:
    rules = json.loads(make_dashboards.rules())["groups"][0]["rules"]

    assert len(rules) == sum(len(make_dashboards.expressions(dashboard(service))) for service in SERVICES)
    assert not [rule for rule in rules if "$" in rule["expr"]]
    assert len({rule["record"] for rule in rules}) == len(rules)


def test_every_dashboard_is_of_a_service() -> None:
    assert {path.stem for path in Path(make_dashboards.DASHBOARDS).iterdir()} == set(SERVICES)
