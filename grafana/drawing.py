"""Draw the panels of a dashboard from Prometheus' answers as one small SVG, without Grafana.

Needs matplotlib from requirements/dev.txt.
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grafana.panels import Dashboard, Panel

Series = Mapping[str, Any]  # of a range query: `metric` has the labels, `values` times and numbers
Ask = Callable[[str], Sequence[Series]]

ACROSS, FIGURES_ACROSS = 4, 8  # panels side by side
WIDTH, HEIGHT, FIGURE_HEIGHT, TITLE = 14, 2.2, 0.8, 0.4  # inches
POINTS = 60  # of a line at most; more would be invisible and enlarge the file
GAP = 3.0  # seconds without a sample that break a line, as scrapes are more frequent
LINES = 6  # in a legend at most
COLOURS = {"green": "#3f8f4f", "orange": "#e08a1e", "red": "#c4302b"}
# The same data give the same file: no random ids, no date, text as text.
STYLE: Any = {  # matplotlib types its keys as literals
    "svg.hashsalt": "argos",
    "svg.fonttype": "none",
    "font.size": 6.5,
    "axes.titlesize": 7.5,
    "font.family": "sans",
}
SCALES = {"s": (1000, "ms"), "percentunit": (100, "%"), "bytes": (1 / 1_048_576, "MiB"), "cpm": (1, "a minute")}
OTHER_UNITS = {"reqps": "requests/s", "ops": "a second", "short": "", "none": ""}


class Absurd(Exception):
    """A panel is empty or shows an impossible value."""


def legend_of(template: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series as Grafana builds it."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template).strip()


def lines_of(panel: Panel, ask: Ask) -> dict[str, list[tuple[float, float]]]:
    """Return the panel's lines by name; raise Absurd for an empty line, a missing name or an impossible value."""
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
    """Return the picture of all panels; raise Absurd for the first invalid one."""
    panels = [panel for row in dashboard.rows.values() for panel in row]
    lines = {panel.title: lines_of(panel, ask) for panel in panels}
    times = [point[0] for found in lines.values() for points in found.values() for point in points]
    strips = list(strips_of(sorted(panels, key=lambda panel: panel.kind != "stat")))  # figures first
    height = sum(FIGURE_HEIGHT if is_figures(strip) else HEIGHT for strip in strips) + TITLE
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        figure.text(0.01, 1 - 0.2 / height, f"{dashboard.title}: {dashboard.description}", fontsize=10)
        top = height - TITLE
        for strip in strips:
            across, tall = (FIGURES_ACROSS, FIGURE_HEIGHT) if is_figures(strip) else (ACROSS, HEIGHT)
            top -= tall
            for column, panel in enumerate(strip):
                left, bottom = column / across + 0.035, top / height
                if is_figures(strip):
                    box = (left - 0.025, bottom, 0.95 / across, 0.7 * tall / height)
                else:
                    box = (left, bottom + 0.55 / height, 0.8 / across, (tall - 0.85) / height)
                draw_panel(figure.add_axes(box), panel, lines[panel.title], (min(times), max(times)))
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return small(out.getvalue())


def strips_of(panels: list[Panel]) -> Iterator[list[Panel]]:
    """Yield the panels of each row."""
    strip: list[Panel] = []
    for panel in panels:
        full = FIGURES_ACROSS if is_figures(strip) else ACROSS
        if strip and (len(strip) == full or is_figures([panel]) != is_figures(strip)):
            yield strip
            strip = []
        strip.append(panel)
    yield strip


def is_figures(strip: list[Panel]) -> bool:
    """Return whether the panels are figures, which are small."""
    return bool(strip) and strip[0].kind == "stat"


def draw_panel(
    axes: Axes, panel: Panel, lines: Mapping[str, list[tuple[float, float]]], span: tuple[float, float]
) -> None:
    """Draw one panel over the time of all: figures as text, states as coloured bars, bars, or lines."""
    factor, unit = scale_of(panel, max(value for points in lines.values() for _, value in points))
    axes.set_title("\n".join(textwrap.wrap(panel.title, 30 if panel.kind == "stat" else 40)), loc="left")
    if panel.kind == "stat":
        axes.set_axis_off()
        shown = [name if panel.shows_names else f"{figure_of(panel, lines[name][-1][1])}  {name}" for name in lines]
        shown = [line for text in shown for line in textwrap.wrap(text, 26)]
        axes.text(0.02, 0.9, "\n".join(shown), va="top", fontsize=7.5, transform=axes.transAxes)
        return
    if panel.kind == "bargauge":
        axes.barh(list(lines)[::-1], [points[-1][1] * factor for points in lines.values()][::-1], color="#5b8fb9")
        most = max(points[-1][1] for points in lines.values())
        axes.set_xlim(0, (most * 1.05 or panel.high or 1) * factor)
        axes.set_xlabel(unit)
        axes.tick_params(axis="y", labelsize=5.5, pad=-3)
        for label in axes.get_yticklabels():
            label.set_horizontalalignment("left")
        return
    start = span[0]
    axes.set_xlim(0, span[1] - start)
    if panel.kind == "state-timeline":
        for row, (name, points) in enumerate(lines.items()):
            for (begin, value), (following, _) in zip(points, [*points[1:], points[-1]], strict=True):
                colour = (panel.value_names or {})[int(value)][1]
                end = following if following - begin <= GAP else begin
                if not (axes.patches and joined(axes.patches[-1], row, begin - start, end - start, COLOURS[colour])):
                    axes.barh(row, end - begin, left=begin - start, color=COLOURS[colour])
            axes.text(1, row, name, va="center", fontsize=6 if len(lines) < 6 else 4.5)
        axes.set_yticks([])
    else:
        for name, points in lines.items():
            kept = thinned(points)
            axes.plot([time - start for time, _ in kept], [value * factor for _, value in kept], label=name, lw=0.9)
        most = max(value for points in lines.values() for _, value in points)
        axes.set_ylim(bottom=0 if panel.low is not None else None, top=max(most * 1.1, panel.high or 0) * factor or 1)
        for value, colour in panel.thresholds.items():
            axes.axhline(value * factor, color=COLOURS[colour], ls=":", lw=0.7)
        axes.legend(
            *(found[:LINES] for found in axes.get_legend_handles_labels()),
            fontsize=5.5,
            loc="upper left",
            bbox_to_anchor=(-0.1, -0.12),
            ncols=3 if max(map(len, lines)) < 16 else 2,
            frameon=False,
            columnspacing=1,
            borderpad=0,
        )
        axes.locator_params(nbins=5)
        axes.set_ylabel(unit)


def thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the visible points, with a gap where data are missing."""
    kept: list[tuple[float, float]] = []
    step = math.ceil(len(points) / POINTS)
    for number, point in enumerate(points):
        hole = number > 0 and point[0] - points[number - 1][0] > GAP
        if hole:
            kept += [points[number - 1], (point[0], math.nan)]
        if hole or number % step == 0 or number == len(points) - 1:
            kept.append(point)
    return kept


def joined(bar: Any, row: int, begin: float, end: float, colour: str) -> bool:
    """Extend the last bar if the state continues."""
    same = abs(bar.get_y() + bar.get_height() / 2 - row) < 0.1 and mpl.colors.to_hex(bar.get_facecolor()) == colour
    if not same or abs(bar.get_x() + bar.get_width() - begin) > 0.01:
        return False
    bar.set_width(end - bar.get_x())
    return True


def scale_of(panel: Panel, most: float) -> tuple[float, str]:
    """Return the factor and the unit that a value is shown with."""
    if panel.unit == "s" and most >= 10:
        return 1, "s"
    return SCALES.get(panel.unit, (1, OTHER_UNITS.get(panel.unit, panel.unit)))


def figure_of(panel: Panel, value: float) -> str:
    """Return the value as a stat shows it."""
    if panel.value_names:
        return panel.value_names[int(value)][0]
    factor, unit = scale_of(panel, value)
    return f"{value * factor:.4g} {unit}".strip()


def small(svg: str) -> str:
    """Remove half of the file, which viewers do not need."""
    shapes = re.compile(r'\b(?:d|x|y|transform|width|height)="[^"]*"')
    # A tenth of a point is finer than a screen.
    svg = shapes.sub(lambda found: re.sub(r"(\d+\.\d)\d+", r"\1", found[0]), svg)
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|\n\s*(?=[LMzC<])", "", svg, flags=re.DOTALL)
    return re.sub(r"</g>(?=<g)", "</g>\n", svg)
