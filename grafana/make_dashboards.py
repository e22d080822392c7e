"""Writes dashboards/*.json, one a service: `python -m grafana.make_dashboards` after a change; a test compares them.

`python -m grafana.make_dashboards rules` prints every query as a recording rule instead, for `promtool check rules`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana.panels import COLUMNS, INTERVAL, Panel, Rows, dashboards

DASHBOARDS = Path(__file__).resolve().parent / "dashboards"
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}


def panel_json(panel: Panel, number: int, grid: dict[str, int]) -> dict[str, Any]:
    """Return Grafana's form of a panel."""
    custom = {"fillOpacity": 8, "showPoints": "never"} if panel.kind == "timeseries" else {}
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "custom": custom}
    if panel.value_names:
        names = {str(value): {"text": text, "color": color} for value, (text, color) in panel.value_names.items()}
        defaults["mappings"] = [{"type": "value", "options": names}]
    by_kind: dict[str, dict[str, Any]] = {
        "stat": {
            "textMode": "name" if panel.title == "Version" else "value",
            "colorMode": "value",
            "reduceOptions": {"calcs": ["lastNotNull"]},
        },
        "timeseries": {
            "legend": {"displayMode": "table", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi"},
        },
        "state-timeline": {"legend": {"showLegend": True}},
    }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.bad,
        "datasource": PROMETHEUS,
        "gridPos": grid,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": by_kind[panel.kind],
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": PROMETHEUS,
                "expr": expr,
                "legendFormat": legend,
                "exemplar": panel.title == "Slowest 1 % by route",
            }
            for index, (expr, legend) in enumerate(panel.queries.items())
        ],
    }


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
                x, y = 0, y + height
            height = {"stat": 4, "timeseries": 8, "state-timeline": 5}[panel.kind]
            yield panel_json(panel, number, {"x": x, "y": y, "w": panel.width, "h": height})
            x += panel.width
        y += height


def dashboard_json(service: str, rows: Rows) -> str:
    """Return a dashboard in Grafana's classic JSON."""
    restarts = f'changes(process_start_time_seconds{{job="{service}"}}[{INTERVAL}]) > 0'
    document = {
        "uid": service,
        "title": service,
        "tags": ["argos"],
        "timezone": "browser",
        "schemaVersion": 41,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "graphTooltip": 1,
        "links": [
            {"type": "dashboards", "title": "Services", "tags": ["argos"], "asDropdown": False, "keepTime": True}
        ],
        "annotations": {
            "list": [
                {
                    "name": "Restarts",
                    "datasource": PROMETHEUS,
                    "enable": True,
                    "iconColor": "orange",
                    "expr": restarts,
                    "titleFormat": "{{instance}} started",
                }
            ]
        },
        "templating": {"list": []},
        "panels": list(layout(rows)),
    }
    return json.dumps(document, indent=2) + "\n"


def expressions(document: dict[str, Any]) -> list[str]:
    """Return every query of a dashboard."""
    targets = [target["expr"] for panel in document["panels"] for target in panel.get("targets", [])]
    return targets + [annotation["expr"] for annotation in document["annotations"]["list"]]


def rules() -> str:
    """Return every query of the files as a recording rule; JSON is YAML."""
    found = [expr for path in sorted(DASHBOARDS.glob("*.json")) for expr in expressions(json.loads(path.read_text()))]
    queries = [
        {"record": f"dashboard:query:{number}", "expr": expr.replace(INTERVAL, "1m")}
        for number, expr in enumerate(found)
    ]
    return json.dumps({"groups": [{"name": "dashboards", "rules": queries}]})


if __name__ == "__main__":
    if sys.argv[1:] == ["rules"]:
        print(rules())
    else:
        for name, content in dashboards().items():
            (DASHBOARDS / f"{name}.json").write_text(dashboard_json(name, content))
