"""What a dashboard is made of: panels, which say what trouble looks like, and the expressions that several share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

INTERVAL = "$__rate_interval"  # Grafana puts at least four scrape intervals here
COLUMNS = 24  # of Grafana's grid

Kind = Literal["timeseries", "stat", "state-timeline", "bargauge"]
Values = Mapping[int, tuple[str, str]]  # each value's name and colour
Thresholds = Mapping[float, str]  # from which value on which colour; below, green, or red where green is one

UP_OR_DOWN: Values = {0: ("down", "red"), 1: ("up", "green")}
BREAKER_STATES: Values = {0: ("closed", "green"), 1: ("half open", "orange"), 2: ("open", "red")}
READY: Values = {0: ("not ready", "red"), 1: ("ready", "green")}
FIRING: Values = {1: ("firing", "red")}


@dataclass(frozen=True)
class Panel:
    """One panel: `queries` maps each expression to its legend, `bad` says what trouble looks like."""

    title: str
    unit: str
    queries: Mapping[str, str]
    bad: str
    kind: Kind = "timeseries"
    width: int = 8
    low: float | None = 0  # the axis begins at the least at this; None where values below zero are no mistake
    high: float | None = None  # and ends at the least at this
    value_names: Values | None = None
    thresholds: Thresholds = field(default_factory=dict)
    exemplars: bool = False
    shows_names: bool = False  # a stat of its legend, not of its value
    exact: bool = False  # `high` is where the axis ends, whatever the data: a share has no more than 100 %


Rows = Mapping[str, list[Panel]]


@dataclass(frozen=True)
class Variable:
    """One choice above a dashboard: its values come from a label of a metric."""

    name: str
    metric: str
    label: str
    several: bool = False  # several at once, and all of them at first

    @property
    def expr(self) -> str:
        """Return what Prometheus is asked for the values."""
        return f"group by ({self.label}) ({self.metric})"


@dataclass(frozen=True)
class Dashboard:
    """One dashboard; its uid is its address, /d/UID, and never changes."""

    uid: str
    title: str
    description: str
    rows: Rows
    variables: tuple[Variable, ...] = ()
    jobs: str = 'job=~"(orders|products)-service"'  # of which its annotations speak
    links: Mapping[str, str] = field(default_factory=dict)  # title to URL, besides those to the other dashboards


def rate(metric: str, selector: str, by: str = "") -> str:
    """Return a counter's rate a second, summed."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}{{{selector}}}[{INTERVAL}]))"


def quantile(q: float, histogram: str, selector: str, by: str = "") -> str:
    """Return a quantile of a histogram."""
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', selector, f'{by}, le' if by else 'le')})"


def share(part: str, whole: str, by: str = "") -> str:
    """Return what share `part` is of `whole`, 0 where there is none of it, nothing where there is no whole."""
    return f"({part} or {whole} * 0) / ({whole} > 0)" if by else f"({part} or vector(0)) / ({whole} > 0)"


def stats(*panels: Panel) -> list[Panel]:
    """Return the panels as figures, side by side in one row of the grid."""
    return [replace(panel, kind="stat", width=COLUMNS // len(panels)) for panel in panels]
