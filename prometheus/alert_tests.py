"""Write promtool's unit tests of every alert: `python -m prometheus.alert_tests FOLDER; promtool test rules FOLDER/*`.

Each alert has the same five cases, so prometheus/alert_series.py contains only three states of its series: faulty, just
below the limit, and healthy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from prometheus.alert_series import ALERTS, Alert, Series

RULES = Path(__file__).resolve().parent / "rules"
CASES = ("fires", "stays quiet just below", "resolves", "without data", "after a reset")
NOTHING = {"series": 'something_else{job="else"}', "values": "1x1000"}


def notation(series: Series, *phases: tuple[str, int], reset: bool = False) -> str:
    """Return promtool's notation of phases: a state and its number of samples.

    With a reset, the process restarts after each phase: its counters at 0, its gauges briefly absent.
    """
    parts: list[str] = []
    value = 0.0
    for state, length in phases:
        each, count = getattr(series, state), length
        if reset and parts:
            value = 0.0
            if not series.is_counter:
                parts.append("stale")
                count -= 1
        if each is None:
            parts.append(f"stale _x{count - 1}")
        elif isinstance(each, str):
            parts.append(each)
        elif series.is_counter:
            parts.append(f"{value:g}+{each:g}x{count - 1}")
            value += each * count
        else:
            parts.append(f"{each:g}x{count - 1}")
    return " ".join(parts)


def world(alert: Alert, *phases: tuple[str, int], reset: bool = False) -> list[dict[str, str]]:
    return [{"series": s.name, "values": notation(s, *phases, reset=reset)} for s in alert.series]


def firing(alert: Alert, at: int, *, expected: bool) -> dict[str, Any]:
    """Expect the alert with its routing labels, or that it has never fired so far."""
    labels = {"alertname": alert.name, "alertstate": "firing", "severity": alert.severity, "service": alert.service}
    labels |= alert.labels
    matchers = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    minutes = f"{at * alert.step}m"
    if expected:
        return {"expr": f"count(ALERTS{{{matchers}}})", "eval_time": minutes, "exp_samples": [{"value": 1}]}
    return {"expr": f"max_over_time(ALERTS{{{matchers}}}[10d])", "eval_time": minutes, "exp_samples": []}


def resolved(alert: Alert, at: int) -> dict[str, Any]:
    test = firing(alert, at, expected=True)
    return test | {"exp_samples": []}


def cases(alert: Alert) -> dict[str, tuple[list[dict[str, str]], list[dict[str, Any]]]]:
    """Return the series and expectations of each case. Samples are numbered from 0, so n steps are n + 1 samples."""
    lasts, after = alert.lasts, alert.resolves_after
    below: tuple[tuple[str, int], ...]
    if alert.just_short:  # a boolean series cannot be just below; it lasts too short instead
        below = (("good", lasts), ("bad", alert.just_short), ("good", after))
    else:
        below = (("below", lasts + 1),)
    end = sum(count for _, count in below) - 1
    quiet = "below" if not alert.just_short else "good"
    return {
        "fires": (world(alert, ("bad", lasts + 1)), [firing(alert, lasts, expected=True)]),
        "stays quiet just below": (world(alert, *below), [firing(alert, end, expected=False)]),
        "resolves": (
            world(alert, ("bad", lasts + 1), ("good", after)),
            [firing(alert, lasts, expected=True), resolved(alert, lasts + after)],
        ),
        "without data": ([NOTHING], [firing(alert, lasts, expected=alert.fires_without_data)]),
        # The fault continues through the restart; a restart alone is not a fault.
        "after a reset": (
            world(alert, ("bad", lasts + 1), ("bad", lasts + 1), reset=True),
            [firing(alert, 2 * lasts, expected=True)],
        ),
        "after a reset, just below": (
            world(alert, (quiet, lasts // 2), (quiet, lasts // 2 + 1), reset=True),
            [firing(alert, lasts, expected=False)],
        ),
    }


def document(alert: Alert) -> dict[str, Any]:
    """Return one test file in JSON, a subset of YAML."""
    return {
        "rule_files": [str(path) for path in RULES.glob("*.yml") if f"alert: {alert.name}\n" in path.read_text()],
        "evaluation_interval": f"{alert.step}m",
        "tests": [
            {
                "name": f"{alert.title}: {case}",
                "interval": f"{alert.step}m",
                "input_series": series,
                "promql_expr_test": expectations,
            }
            for case, (series, expectations) in cases(alert).items()
        ],
    }


def main(folder: Path) -> None:
    for number, alert in enumerate(ALERTS):
        (folder / f"{number:02d}-{alert.name}.yml").write_text(json.dumps(document(alert), indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
