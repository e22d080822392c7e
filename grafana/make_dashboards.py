"""Write dashboards/*.json: run `python -m grafana.make_dashboards` after a change; a test compares them.

`python -m grafana.make_dashboards rules` prints every query as a recording rule instead, for `promtool check rules`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana.business import orders_business  # of the shop
from grafana.front_pages import front_pages
from grafana.overview import overview
from grafana.panels import COLUMNS, Dashboard, Panel, Rows, Variable
from grafana.runtime import runtime_and_commands
from grafana.service import any_service

DASHBOARDS = Path(__file__).resolve().parent / "dashboards"
# A choice above each dashboard, so that one can be imported where the data source has another uid.
PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
HEIGHTS = {"stat": 4, "timeseries": 8, "state-timeline": 5, "bargauge": 8}
# Replacements for Grafana's variables, for promtool and for the tests against a real Prometheus.
IN_PROMTOOL = {"$__rate_interval": "1m", "$service": "orders-service"}
OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "table", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi"},
    },
    "state-timeline": {"legend": {"showLegend": True}},
    "bargauge": {"orientation": "horizontal", "displayMode": "basic", "reduceOptions": {"calcs": ["lastNotNull"]}},
}


def dashboards() -> list[Dashboard]:
    """Return all dashboards."""
    found = [overview(), any_service(), *front_pages()]
    found.append(orders_business())  # of the shop
    return [*found, runtime_and_commands()]


def panel_json(panel: Panel, number: int, grid: dict[str, int]) -> dict[str, Any]:
    """Return Grafana's form of a panel."""
    stat = {
        "textMode": "name" if panel.shows_names else "value_and_name" if len(panel.queries) > 1 else "auto",
        "colorMode": "value",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.bad,
        "datasource": PROMETHEUS,
        "gridPos": grid,
        "fieldConfig": {"defaults": field_defaults(panel), "overrides": []},
        "options": OPTIONS.get(panel.kind, stat),
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": PROMETHEUS,
                "expr": expr,
                "legendFormat": legend,
                "exemplar": panel.exemplars,
            }
            for index, (expr, legend) in enumerate(panel.queries.items())
        ],
    }


def field_defaults(panel: Panel) -> dict[str, Any]:
    """Return unit, range, colours and the names of values."""
    defaults: dict[str, Any] = {"unit": panel.unit, "custom": {}}
    if panel.low is not None:
        defaults["min"] = panel.low
    if panel.high is not None and (panel.exact or panel.kind != "timeseries"):
        defaults["max"] = panel.high
    if panel.kind == "timeseries":
        defaults["custom"] = {"fillOpacity": 8, "showPoints": "never"}
        if panel.high is not None:  # the axis may grow past it; small noise must not look like a mountain
            defaults["custom"]["axisSoftMax"] = panel.high
        if panel.thresholds:
            defaults["custom"]["thresholdsStyle"] = {"mode": "dashed"}
    if panel.value_names:
        names = {str(value): {"text": text, "color": color} for value, (text, color) in panel.value_names.items()}
        defaults["mappings"] = [{"type": "value", "options": names}]
    if panel.thresholds:
        below = "red" if "green" in panel.thresholds.values() else "green"
        steps = [{"value": value, "color": color} for value, color in panel.thresholds.items()]
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"value": None, "color": below}, *steps]}
    return defaults


def layout(rows: Rows) -> Iterator[dict[str, Any]]:
    """Yield Grafana's rows and panels, placed from left to right."""
    number = y = 0
    for title, panels in rows.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }
        y += 1
        x = height = 0
        for panel in panels:
            number += 1
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            height = max(height, HEIGHTS[panel.kind])
            grid = {"x": x, "y": y, "w": panel.width, "h": HEIGHTS[panel.kind]}
            yield panel_json(panel, number, grid)
            x += panel.width
        y += height


def marks(jobs: str) -> list[dict[str, Any]]:
    """Return the annotations of every panel: deploys and restarts."""
    versions = f"max by (job, version) (argos_build_info{{{jobs}}})"
    before = f"max by (job, version) (argos_build_info{{{jobs}}} offset 5m)"
    found = {
        "Deploys": ("blue", "{{job}} {{version}}", f"{versions} unless {before}"),
        "Restarts": (
            "orange",
            "{{job}} {{instance}} started",
            f"changes(process_start_time_seconds{{{jobs}}}[1m]) > 0",
        ),
    }
    return [
        {
            "name": name,
            "datasource": PROMETHEUS,
            "enable": True,
            "iconColor": colour,
            "expr": expr,
            "titleFormat": title,
        }
        for name, (colour, title, expr) in found.items()
    ]


def datasource_json() -> dict[str, Any]:
    """Return the choice of the data source; the stack's own comes first."""
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "prometheus"},
        "regex": "",
        "refresh": 1,  # when the dashboard is opened
        "multi": False,
        "includeAll": False,
    }


def variable_json(variable: Variable) -> dict[str, Any]:
    """Return Grafana's form of a variable."""
    query = f"label_values({variable.metric}, {variable.label})"
    return {
        "name": variable.name,
        "label": variable.name.capitalize(),
        "type": "query",
        "datasource": PROMETHEUS,
        "definition": query,
        "query": {"query": query, "refId": "A"},
        "refresh": 2,  # when the time range changes
        "sort": 1,
        "multi": variable.several,
        "includeAll": variable.several,
        "current": {"text": ["All"], "value": ["$__all"]} if variable.several else {},
    }


def dashboard_json(dashboard: Dashboard) -> str:
    """Return a dashboard in Grafana's classic JSON."""
    others = {"type": "dashboards", "title": "Argos", "tags": ["argos"], "asDropdown": True, "keepTime": True}
    own = [
        {"type": "link", "title": title, "url": url, "keepTime": True, "targetBlank": False}
        for title, url in dashboard.links.items()
    ]
    document = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["argos"],
        "timezone": "browser",
        "schemaVersion": 41,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "graphTooltip": 1,
        "links": [others, *own],
        "annotations": {"list": marks(dashboard.jobs)},
        "templating": {"list": [datasource_json(), *map(variable_json, dashboard.variables)]},
        "panels": list(layout(dashboard.rows)),
    }
    return json.dumps(document, indent=1) + "\n"


def expressions(dashboard: Dashboard) -> list[str]:
    """Return every query of a dashboard: of its panels, variables and annotations."""
    panels = [expr for row in dashboard.rows.values() for panel in row for expr in panel.queries]
    variables = [variable.expr for variable in dashboard.variables]
    return panels + variables + [annotation["expr"] for annotation in marks(dashboard.jobs)]


def substituted(expr: str, words: dict[str, str]) -> str:
    """Return the expression as Grafana would send it."""
    for word, value in words.items():
        expr = expr.replace(word, value)
    return expr


def rules() -> str:
    """Return every query as a recording rule; JSON is YAML."""
    found = [expr for dashboard in dashboards() for expr in expressions(dashboard)]
    queries = [
        {"record": f"dashboard:query:{number}", "expr": substituted(expr, IN_PROMTOOL)}
        for number, expr in enumerate(found)
    ]
    return json.dumps({"groups": [{"name": "dashboards", "rules": queries}]})


if __name__ == "__main__":
    if sys.argv[1:] == ["rules"]:
        print(rules())
    else:
        for made in dashboards():
            (DASHBOARDS / f"{made.uid}.json").write_text(dashboard_json(made))
