"""Write prometheus/rules/slo.yml: the objectives of docs/slo.md as burn rates, and the alerts on them.

`python -m prometheus.make_slo_rules` writes the file; --check only compares. The objectives of objectives.yml times
eight windows share one rule, written here once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parent
RULES = FOLDER / "rules" / "slo.yml"
HEADER = """\
# yamllint disable rule:line-length
# Written by `python -m prometheus.make_slo_rules` from the objectives of docs/slo.md; do not edit.
# A burn rate of 1 uses up the budget in exactly 28 days.
groups:
"""
PERIOD = "28d"


@dataclass(frozen=True)
class Objective:
    """An objective: which requests are good, and which share must be."""

    slo: str
    kind: str  # availability or latency
    service: str
    requests: str  # label matchers of the requests that count
    target: float
    within: str = ""  # seconds, the name of the histogram's bucket
    histogram: str = "http_request_duration_seconds"


@dataclass(frozen=True)
class BurnAlert:
    """Fire while the budget burns faster than `rate` in both windows; the short one ends the alert soon."""

    rate: float
    long: str
    short: str
    severity: str
    lasts: str

    @property
    def name(self) -> str:
        return f"{self.long}/{self.short}"


OBJECTIVES = tuple(
    Objective(slo, slo.rpartition("-")[2], **fields)
    for slo, fields in yaml.safe_load((FOLDER / "objectives.yml").read_text()).items()
)
BURN_ALERTS = (
    BurnAlert(14.4, "1h", "5m", "critical", "2m"),
    BurnAlert(6, "6h", "30m", "critical", "5m"),
    BurnAlert(3, "1d", "2h", "warning", "15m"),
    BurnAlert(1, "3d", "6h", "warning", "1h"),
)
FELT = {
    "availability": "so many requests fail that the error budget of 28 days",
    "latency": "so many requests are slow that the budget of 28 days",
}
ALERT_NAMES = {"availability": "AvailabilityBudgetBurn", "latency": "LatencyBudgetBurn"}
WINDOWS = tuple(
    sorted(
        {w for alert in BURN_ALERTS for w in (alert.long, alert.short)},
        key=("5m", "30m", "1h", "2h", "6h", "1d", "3d").index,
    )
)


def bad_ratio(objective: Objective, window: str) -> str:
    """Return the expression of the share of bad requests; without bad ones it is 0, not unknown."""
    if objective.kind == "latency":
        fast = f'{objective.requests}, le="{objective.within}"'
        bucket = f"sum(rate({objective.histogram}_bucket{{{fast}}}[{window}]))"
        return f"1 - {bucket}\n/ sum(rate({objective.histogram}_count{{{objective.requests}}}[{window}]))"
    every = f"sum(rate(http_requests_total{{{objective.requests}}}[{window}]))"
    bad = f'sum(rate(http_requests_total{{{objective.requests}, status=~"5.."}}[{window}]))'
    return f"({bad} or 0 * {every})\n/ {every}"


def indented(text: str, spaces: int) -> str:
    return "\n".join(" " * spaces + line for line in text.splitlines())


def recording(objective: Objective, window: str) -> str:
    budget = round(1 - objective.target, 6)
    return (
        f"      - record: slo:error_budget_burn:ratio_rate{window}\n"
        f"        expr: |\n"
        f"          (\n{indented(bad_ratio(objective, window), 12)}\n          ) / {budget}\n"
        f"        labels: {{slo: {objective.slo}, service: {objective.service}}}\n"
    )


def remaining() -> str:
    return (
        "      - record: slo:error_budget_remaining:ratio\n"
        f"        expr: 1 - slo:error_budget_burn:ratio_rate{PERIOD}\n"
    )


def alert(kind: str, burn: BurnAlert) -> str:
    """Return the alert on every objective of a kind."""
    which = f'{{slo=~".+-{kind}"}}'
    spent = {"1h": "in two days", "6h": "in five days", "1d": "in nine days", "3d": "too early"}[burn.long]
    rate = f"{burn.rate:g}"
    runbook = f'"{{{{ $externalURL }}}}/user/runbooks/{ALERT_NAMES[kind]}.md"'
    return (
        f"      - alert: {ALERT_NAMES[kind]}\n"
        f"        expr: |\n"
        f"          slo:error_budget_burn:ratio_rate{burn.long}{which} > {rate}\n"
        f"          and slo:error_budget_burn:ratio_rate{burn.short}{which} > {rate}\n"
        f"        for: {burn.lasts}\n"
        f"        labels:\n"
        f"          severity: {burn.severity}\n"
        f"          window: {burn.name}\n"
        f"          runbook_url: {runbook}\n"
        f"        annotations:\n"
        f"          runbook_url: {runbook}\n"
        f'          summary: "{{{{ $labels.service }}}}: {FELT[kind]} is spent {spent}."\n'
    )


def document() -> str:
    """Return the whole file."""
    parts = [HEADER, "  - name: slo\n    rules:\n"]
    parts += [recording(objective, window) for objective in OBJECTIVES for window in WINDOWS]
    # Reading four weeks of samples is expensive, so once a minute is enough.
    parts += ["\n  - name: slo-budget\n    interval: 1m\n    rules:\n"]
    parts += [recording(objective, PERIOD) for objective in OBJECTIVES] + [remaining()]
    parts += ["\n  - name: slo-alerts\n    rules:\n"]
    parts += [alert(kind, burn) for kind in ALERT_NAMES for burn in BURN_ALERTS]
    return "".join(parts)


def main() -> None:
    if "--check" not in sys.argv:
        RULES.write_text(document())
    elif RULES.read_text() != document():
        sys.exit("prometheus/rules/slo.yml is not current: run python -m prometheus.make_slo_rules")


if __name__ == "__main__":
    main()
