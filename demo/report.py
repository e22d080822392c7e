"""The report of the story: a page with the answers, the slowest ones and the alerts over one axis of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from demo.alerts import MISSING, Alert
from demo.faults import Fault
from demo.load import RATE, Answer

KINDS = {"2xx": "#2a7f62", "4xx": "#9aa3a9", "5xx": "#c0262d"}
SEVERITIES = {"critical": "#c0262d", "warning": "#d9822b"}
WIDTH, HEIGHT, LEFT, TOP = 960, 150, 44, 18  # of a chart; the axis of values is left of it, the faults' names above
LANE = 26  # of an alert
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:auto;padding:1rem;color:#1d2327;overflow-wrap:anywhere}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:1.6rem 0 .3rem}h3{font-size:1rem;margin:1rem 0 0}p,ul{margin:.2rem 0}
.chart{overflow-x:auto}svg{display:block;width:100%;min-width:44rem;font:12px system-ui,sans-serif}
ul{padding-left:1.2rem}b{display:inline-block;width:.8em;height:.8em;margin-right:.3em}b:not(:first-child){margin-left:.8em}.result{font-weight:600;margin-top:1.6rem}
"""


@dataclass(frozen=True)
class Chapter:
    """A fault, its effect on clients and its alerts; None means that nothing watched."""

    fault: Fault
    felt: str
    alerts: Sequence[Alert] | None

    def lines(self) -> list[str]:
        """Return a line for each alert with its times and its runbook."""
        if self.alerts is None:
            return [f"runbook: docs/runbooks/{self.fault.runbook}.md"]
        if not self.alerts:
            return ["no alert fired"]
        return [f"alert: {alert}, {times(alert)}; runbook: {alert.runbook}" for alert in self.alerts]

    def __str__(self) -> str:
        return "\n  ".join([f"{self.fault.name}: {self.felt}", *self.lines()])


def times(alert: Alert) -> str:
    """Return when it fired."""
    if alert.ends is None:
        return f"from {alert.begins:.1f} s on, not yet resolved" + (": it looks back for minutes" * alert.is_slow)
    return f"from {alert.begins:.1f} s to {alert.ends:.1f} s, resolved"


@dataclass(frozen=True)
class Axis:
    """The axis of time of every chart."""

    seconds: float

    def x(self, second: float) -> float:
        return LEFT + (WIDTH - LEFT) * max(0.0, min(second, self.seconds)) / self.seconds

    def bar(self, begins: float, ends: float, top: float, height: float, look: tuple[str, str]) -> str:
        """Return a bar over this time; `look` is its colour and its title."""
        left, width = self.x(begins), max(self.x(ends) - self.x(begins), 1)
        box = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
        return f'<rect {box} fill="{look[0]}"><title>{escape(look[1])}</title></rect>'


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def background(axis: Axis, told: Sequence[Chapter], seconds: int, height: float) -> list[str]:
    """Return the shaded faults with their numbers, and a mark each ten seconds."""
    drawn = []
    for number, chapter in enumerate(told, 1):
        begins, ends = chapter.fault.begins * seconds, chapter.fault.ends * seconds
        drawn.append(axis.bar(begins, ends, TOP, height, ("#f3e3b3", chapter.fault.name)))
        drawn.append(text(axis.x((begins + ends) / 2), TOP - 5, str(number), "middle"))
    for second in range(0, int(axis.seconds) + 1, 10):
        x = axis.x(second)
        drawn.append(f'<path d="M{x:.1f} {TOP}v{height}" stroke="#d5d9dc" stroke-width=".5"/>')
        drawn.append(text(x, TOP + height + 14, f"{second} s", "middle" if second else "start"))
    return drawn


def chart(name: str, height: float, drawn: Sequence[str]) -> str:
    """Return the drawing as an image with this name."""
    box = f'viewBox="0 0 {WIDTH + 12} {TOP + height + 20:.0f}"'
    image = f'<svg {box} role="img" aria-label="{escape(name)}">{"".join(drawn)}</svg>'
    return f'<div class="chart" tabindex="0">{image}</div>'


def scale(most: float, unit: str) -> list[str]:
    """Return the axis of values: nothing, and the most."""
    return [text(LEFT - 4, TOP + HEIGHT, "0", "end"), text(LEFT - 4, TOP + 10, f"{most:.3g}{unit}", "end")]


def answers_chart(axis: Axis, told: Sequence[Chapter], answers: Sequence[Answer], seconds: int) -> str:
    """Return the answers to the requests of each second, by status."""
    drawn, most = background(axis, told, seconds, HEIGHT), RATE * 1.2
    for second in range(seconds):
        kinds = Counter(f"{answer.status // 100}xx" for answer in answers if int(answer.at) == second)
        top = float(TOP + HEIGHT)
        for kind, colour in KINDS.items():
            height = min(kinds[kind] * HEIGHT / most, top - TOP)
            top -= height
            if height:
                look = colour, f"{second} s: {kinds[kind]} x {kind}"
                drawn.append(axis.bar(second + 0.1, second + 0.9, top, height, look))
    return chart("Answers to the requests of each second, by status", HEIGHT, drawn + scale(most, ""))


def slowest_chart(axis: Axis, told: Sequence[Chapter], answers: Sequence[Answer], seconds: int) -> str:
    """Return the slowest answer to the requests of each second."""
    drawn = background(axis, told, seconds, HEIGHT)
    most = max((answer.seconds for answer in answers), default=0) or 1
    for second in range(seconds):
        slowest = max((answer.seconds for answer in answers if int(answer.at) == second), default=0)
        height = slowest * HEIGHT / most
        look = "#3f6ea8", f"{second} s: {slowest:.2f} s"
        drawn.append(axis.bar(second + 0.1, second + 0.9, TOP + HEIGHT - height, height, look))
    return chart("The slowest answer to the requests of each second", HEIGHT, drawn + scale(most, " s"))


def alerts_chart(axis: Axis, told: Sequence[Chapter], seconds: int) -> str:
    """Return a lane for each alert, from its firing to its end."""
    fired = [alert for chapter in told for alert in chapter.alerts or ()]
    height = LANE * max(len(fired), 1)
    drawn = background(axis, told, seconds, height)
    for lane, alert in enumerate(fired):
        ends = axis.seconds if alert.ends is None else alert.ends
        top = TOP + LANE * lane
        drawn.append(
            axis.bar(alert.begins, ends, top + 16, 7, (SEVERITIES[alert.severity], f"{alert}, {times(alert)}"))
        )
        is_left = alert.begins < axis.seconds / 2
        x = axis.x(alert.begins if is_left else ends)
        drawn.append(text(x, top + 12, f"{alert.name} of {alert.service}", "start" if is_left else "end"))
    return chart("The times in which each alert fired", height, drawn)


def legend(colours: dict[str, str]) -> str:
    return "".join(f'<b style="background:{colour}"></b>{name}' for name, colour in colours.items())


def section(number: int, chapter: Chapter) -> str:
    """Return a fault with its effect and its alerts."""
    linked = "".join(f"<li>{with_link(line)}</li>" for line in chapter.lines())
    return f"<h3>{number}. {escape(chapter.fault.name)}</h3><p>{escape(chapter.felt)}</p><ul>{linked}</ul>"


def with_link(line: str) -> str:
    """Return a line whose runbook is a link, from var/ to docs/."""
    words, runbook, path = line.partition("runbook: ")
    return escape(words) + (f'runbook: <a href="../{escape(path)}">{escape(path)}</a>' if runbook else "")


def page(title: str, told: Sequence[Chapter], answers: Sequence[Answer], seconds: int, result: str) -> str:
    """Return the whole page."""
    ends = [alert.ends or 0 for chapter in told for alert in chapter.alerts or ()]
    axis = Axis(max([float(seconds), *ends]))
    alerts = f"<p>{legend(SEVERITIES)}</p>{alerts_chart(axis, told, seconds)}"
    if any(chapter.alerts is None for chapter in told):
        alerts = f"<p>{escape(MISSING)}.</p>"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><h1>{escape(title)}</h1>"
        "<p>The faults are shaded and have the numbers of the story below.</p>"
        f"<h2>Answers a second</h2><p>{legend(KINDS)}</p>{answers_chart(axis, told, answers, seconds)}"
        f"<h2>Slowest answer</h2>{slowest_chart(axis, told, answers, seconds)}"
        f"<h2>Alerts</h2>{alerts}<h2>The story</h2>"
        + "".join(section(number, chapter) for number, chapter in enumerate(told, 1))
        + f'<p class="result">{escape(result)}</p></html>\n'
    )
