"""Every panel, drawn from real data, shows values and only possible ones."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from grafana import make_dashboards
from grafana.drawing import Absurd, draw, legend_of, lines_of
from grafana.panels import Dashboard, Panel
from tests.observability.eventful_stack import EventfulStack
from tests.observability.test_queries import as_grafana_sends_it, is_excepted
from tests.processes import ROOT

DASHBOARDS = make_dashboards.dashboards()
LARGEST = 250_000  # bytes of a picture


def without_exceptions(dashboard: Dashboard) -> Dashboard:
    """Return the dashboard without the panels that are empty here for a reason."""
    rows = {
        title: [panel for panel in row if not any(map(is_excepted, panel.queries))]
        for title, row in dashboard.rows.items()
    }
    return Dashboard(dashboard.uid, dashboard.title, dashboard.description, rows)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_every_panel_can_be_drawn(eventful: EventfulStack, dashboard: Dashboard) -> None:
    picture = draw(
        without_exceptions(dashboard), lambda expr: eventful.range(as_grafana_sends_it(expr, "orders-service"))
    )

    assert len(picture) < LARGEST
    text = "".join(ET.fromstring(picture).itertext())
    assert dashboard.title in text


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
def test_the_reference_shows_every_dashboard(dashboard: Dashboard) -> None:
    assert f"(pictures/{dashboard.uid}.svg)" in (ROOT / "docs" / "telemetry.md").read_text()
    assert (ROOT / "docs" / "pictures" / f"{dashboard.uid}.svg").stat().st_size < LARGEST


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([], "no data"),
        ([[1, "NaN"]], "no data"),
        ([[1, "-0.5"]], "below zero"),
        ([[1, "1.5"]], "above 1"),
    ],
)
def test_an_empty_or_absurd_panel_is_no_picture(values: list[list[object]], complaint: str) -> None:
    panel = Panel("Share", "percentunit", {"share": "{{route}}"}, "Bad.", high=1, exact=True)
    series = [{"metric": {"route": "/orders"}, "values": values}] if values else []

    with pytest.raises(Absurd, match=complaint):
        lines_of(panel, lambda _: series)


def test_a_series_without_a_name_is_no_line() -> None:
    panel = Panel("Share", "percentunit", {"share": "{{route}}"}, "Bad.")

    with pytest.raises(Absurd, match="without a name"):
        lines_of(panel, lambda _: [{"metric": {}, "values": [[1, "1"]]}])


def test_a_legend_is_made_of_labels() -> None:
    assert legend_of("{{method}} {{route}} late", {"method": "GET", "route": "/x"}) == "GET /x late"
