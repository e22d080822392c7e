"""Draws a dashboard's panels from what Prometheus answers, as one small SVG: a look at it where no Grafana is.

Needs matplotlib, of requirements/dev.txt.
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grafana.panels import Dashboard, Panel

Series = Mapping[str, Any]  # a range query's: `metric` with the labels, `values` with times and numbers
Ask = Callable[[str], list[Series]]

ACROSS = 4  # panels side by side
WIDTH, HEIGHT = 3.4, 2.1  # inches of one panel
POINTS = 80  # of a line at the most; more cannot be seen, and make the file large
LINES = 6  # named in a legend at the most
COLOURS = {"green": "#3f8f4f", "orange": "#e08a1e", "red": "#c4302b"}
# The same file for the same data: no random ids, no date, text as text.
STYLE = {
    "svg.hashsalt": "argos",
    "svg.fonttype": "none",
    "font.size": 6.5,
    "axes.titlesize": 7.5,
    "font.family": "sans",
}
SCALES = {"s": (1000, "ms"), "percentunit": (100, "%"), "bytes": (1 / 1_048_576, "MiB"), "cpm": (1, "a minute")}
OTHER_UNITS = {"reqps": "requests/s", "ops": "a second", "short": "", "none": ""}


class Absurd(Exception):
    """A panel shows nothing, or what cannot be."""


def legend_of(template: str, labels: Mapping[str, str]) -> str:
    """Return a series' name as Grafana makes it."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template).strip()


def lines_of(panel: Panel, ask: Ask) -> dict[str, list[tuple[float, float]]]:
    """Return the panel's lines by name; raise Absurd where one is empty, has no name, or shows what cannot be."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for expr, legend in panel.queries.items():
        for series in ask(expr):
            name = legend_of(legend, series["metric"])
            points = [(float(time), float(value)) for time, value in series["values"]]
            points = [(time, value) for time, value in points if math.isfinite(value)]
            if not name:
                raise Absurd(f"{panel.title}: a series without a name: {series['metric']}")
            if name in lines:
                raise Absurd(f"{panel.title}: two series named {name}")
            if points:
                lines[name] = points
    if not lines:
        raise Absurd(f"{panel.title}: no data")
    values = [value for points in lines.values() for _, value in points]
    if panel.low is not None and min(values) < 0:
        raise Absurd(f"{panel.title}: {min(values)} is below zero")
    if panel.exact and panel.high is not None and max(values) > panel.high:
        raise Absurd(f"{panel.title}: {max(values)} is above {panel.high}")
    if panel.value_names and not set(values) <= set(panel.value_names):
        raise Absurd(f"{panel.title}: {set(values)} has values without a name")
    return lines


def draw(dashboard: Dashboard, ask: Ask) -> str:
    """Return the picture of all panels; raise Absurd for the first that is none."""
    panels = [panel for row in dashboard.rows.values() for panel in row]
    down = math.ceil(len(panels) / ACROSS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH * ACROSS, HEIGHT * down + 0.4), layout="constrained")
        figure.suptitle(f"{dashboard.title}: {dashboard.description}", fontsize=9)
        axes = figure.subplots(down, ACROSS, squeeze=False).flat
        for panel in panels:
            draw_panel(next(axes), panel, lines_of(panel, ask))
        for unused in axes:
            unused.set_axis_off()
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return small(out.getvalue())


def draw_panel(axes: Axes, panel: Panel, lines: Mapping[str, list[tuple[float, float]]]) -> None:
    """Draw one panel: figures as text, states as coloured bars, bars, or lines."""
    factor, unit = SCALES.get(panel.unit, (1, OTHER_UNITS.get(panel.unit, panel.unit)))
    axes.set_title("\n".join(textwrap.wrap(panel.title, 40)), loc="left")
    if panel.kind == "stat":
        axes.set_axis_off()
        shown = [name if panel.shows_names else f"{figure_of(panel, lines[name][-1][1])}  {name}" for name in lines]
        axes.text(0.02, 0.5, "\n".join(shown), va="center", fontsize=8, transform=axes.transAxes)
        return
    if panel.kind == "bargauge":
        axes.barh(list(lines)[::-1], [points[-1][1] * factor for points in lines.values()][::-1], color="#5b8fb9")
        axes.set_xlabel(unit)
        return
    start = min(points[0][0] for points in lines.values())
    if panel.kind == "state-timeline":
        for row, (name, points) in enumerate(lines.items()):
            for (begin, value), (end, _) in zip(points, [*points[1:], points[-1]], strict=True):
                colour = (panel.value_names or {})[int(value)][1]
                if not (axes.patches and joined(axes.patches[-1], row, begin - start, end - start, COLOURS[colour])):
                    axes.barh(row, end - begin, left=begin - start, color=COLOURS[colour])
            axes.text(0, row, name, va="center", color="white", fontsize=6)
        axes.set_yticks([])
    else:
        for name, points in lines.items():
            kept = points[:: math.ceil(len(points) / POINTS)]
            axes.plot([time - start for time, _ in kept], [value * factor for _, value in kept], label=name, lw=0.9)
        most = max(value for points in lines.values() for _, value in points)
        axes.set_ylim(bottom=0 if panel.low is not None else None, top=max(most * 1.1, panel.high or 0) * factor or 1)
        for value, colour in panel.thresholds.items():
            axes.axhline(value * factor, color=COLOURS[colour], ls=":", lw=0.7)
        axes.legend(*(found[:LINES] for found in axes.get_legend_handles_labels()), fontsize=5, loc="best")
        axes.set_ylabel(unit)
    axes.set_xlabel("seconds")


def joined(bar: Any, row: int, begin: float, end: float, colour: str) -> bool:
    """Make the bar longer instead of adding one, where it is the same state that goes on."""
    same = abs(bar.get_y() + bar.get_height() / 2 - row) < 0.1 and mpl.colors.to_hex(bar.get_facecolor()) == colour
    if not same or abs(bar.get_x() + bar.get_width() - begin) > 0.01:
        return False
    bar.set_width(end - bar.get_x())
    return True


def figure_of(panel: Panel, value: float) -> str:
    """Return the value as a stat shows it."""
    if panel.value_names:
        return panel.value_names[int(value)][0]
    factor, unit = SCALES.get(panel.unit, (1, OTHER_UNITS.get(panel.unit, panel.unit)))
    return f"{value * factor:.4g} {unit}".strip()


def small(svg: str) -> str:
    """Drop what no viewer needs: half of the file."""
    svg = re.sub(r"(\d+\.\d)\d+", r"\1", svg)  # a tenth of a point is finer than a screen
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return re.sub(r"\n\s*", "\n", svg)
