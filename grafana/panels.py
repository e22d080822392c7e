"""The parts of a dashboard: panels, variables and shared expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

INTERVAL = "$__rate_interval"  # Grafana inserts at least four scrape intervals
COLUMNS = 24  # of Grafana's grid

Kind = Literal["timeseries", "stat", "state-timeline", "bargauge"]
Values = Mapping[int, tuple[str, str]]  # each value's name and colour
Thresholds = Mapping[float, str]  # the colour from each value on; below them green, or red if green is one of them

UP_OR_DOWN: Values = {0: ("down", "red"), 1: ("up", "green")}
BREAKER_STATES: Values = {0: ("closed", "green"), 1: ("half open", "orange"), 2: ("open", "red")}
READY: Values = {0: ("not ready", "red"), 1: ("ready", "green")}
FIRING: Values = {1: ("firing", "red")}


@dataclass(frozen=True)
class Panel:
    """One panel: `queries` maps each expression to its legend, `bad` describes the signs of a fault."""

    title: str
    unit: str
    queries: Mapping[str, str]
    bad: str
    kind: Kind = "timeseries"
    width: int = 8
    low: float | None = 0  # the axis starts here or below; None if negative values are valid
    high: float | None = None  # the axis ends here or above
    value_names: Values | None = None
    thresholds: Thresholds = field(default_factory=dict)
    exemplars: bool = False
    shows_names: bool = False  # a stat that shows its legend, not its value
    exact: bool = False  # the axis ends at `high` for any data: a share is at most 100 %


Rows = Mapping[str, list[Panel]]


@dataclass(frozen=True)
class Variable:
    """One variable of a dashboard: its values come from a label of a metric."""

    name: str
    metric: str
    label: str
    several: bool = False  # several may be selected; initially all are

    @property
    def expr(self) -> str:
        """Return the query for the values."""
        return f"group by ({self.label}) ({self.metric})"


@dataclass(frozen=True)
class Dashboard:
    """One dashboard; its uid is its address, /d/UID, and never changes."""

    uid: str
    title: str
    description: str
    rows: Rows
    variables: tuple[Variable, ...] = ()
    jobs: str = 'job=~"(orders|products)-service"'  # the jobs of its annotations
    links: Mapping[str, str] = field(default_factory=dict)  # title to URL, in addition to the other dashboards


def rate(metric: str, selector: str, by: str = "") -> str:
    """Return the summed rate of a counter."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}{{{selector}}}[{INTERVAL}]))"


def quantile(q: float, histogram: str, selector: str, by: str = "") -> str:
    """Return a quantile of a histogram."""
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', selector, f'{by}, le' if by else 'le')})"


def share(part: str, whole: str, by: str = "") -> str:
    """Return the share of `part` in `whole`: 0 without `part`, empty without `whole`."""
    return f"({part} or {whole} * 0) / ({whole} > 0)" if by else f"({part} or vector(0)) / ({whole} > 0)"


def stats(*panels: Panel) -> list[Panel]:
    """Return the panels as figures, side by side in one row of the grid."""
    return [replace(panel, kind="stat", width=COLUMNS // len(panels)) for panel in panels]
