"""Draw bars: in block characters for a terminal, or as an SVG file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

EIGHTHS = " ▏▎▍▌▋▊▉"
WIDTH, HEIGHT = 960, 440
LEFT, RIGHT, TOP, BOTTOM = 90, 20, 50, 110  # margins around the bars
MOST_LABELS = 25  # along the x axis; with more bars, every second, third … has one
STYLE = (
    "text{font:13px sans-serif;fill:#333}.heading{font-size:18px}.grid{stroke:#ddd}.axis{stroke:#333}.bar{fill:#3274b5}"
)


@dataclass(frozen=True)
class Bar:
    """One bar and its tooltip."""

    label: str
    value: int
    note: str = ""


def blocks(value: int, largest: int, width: int = 30, encoding: str = "utf-8") -> str:
    """Return a horizontal bar, exact to an eighth of a character; never empty for a value above 0.

    If the encoding has no such characters, each is a #.
    """
    eighths = max(round(value * width * 8 / largest), 1) if value else 0
    try:
        EIGHTHS.encode(encoding)
    except UnicodeEncodeError:
        return "#" * max(eighths // 8, min(eighths, 1))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def svg(bars: Sequence[Bar], *, title: str, x_label: str, y_label: str) -> str:
    """Return the chart as one self-contained SVG document."""
    step = _step(max((bar.value for bar in bars), default=0))
    steps = max(math.ceil(max((bar.value for bar in bars), default=0) / step), 1)
    bottom = HEIGHT - BOTTOM
    middle, upright = (LEFT + WIDTH - RIGHT) / 2, (TOP + bottom) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text class="heading" x="{middle}" y="28" text-anchor="middle">{escape(title)}</text>',
        f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(20 {upright}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>',
        *(_grid_line(number * step, number / steps) for number in range(steps + 1)),
        *_bars(bars, largest=steps * step),
        f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _step(largest: int) -> int:
    """Return 1, 2 or 5 times a power of ten, so that about five steps reach the largest value."""
    wanted = max(largest / 5, 1)
    power = 10 ** math.floor(math.log10(wanted))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted))


def _grid_line(value: int, share: float) -> str:
    y = round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)
    return (
        f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:,}</text>'
    )


def _bars(bars: Sequence[Bar], *, largest: int) -> list[str]:
    parts = []
    bottom = HEIGHT - BOTTOM
    slot = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    every = math.ceil(len(bars) / MOST_LABELS)
    for place, bar in enumerate(bars):
        x, width = LEFT + place * slot + slot * 0.1, min(slot * 0.8, 60)
        x += (slot * 0.8 - width) / 2
        height = max(bar.value / largest * (bottom - TOP), 1 if bar.value else 0)  # never invisible
        parts.append(
            f'<rect class="bar" x="{x:.2f}" y="{bottom - height:.2f}" width="{width:.2f}" height="{height:.2f}">'
            f"<title>{escape(bar.note or f'{bar.label}: {bar.value:,}')}</title></rect>"
        )
        if place % every == 0:
            parts.append(
                f'<text transform="translate({x + width / 2 + 4:.2f} {bottom + 16}) rotate(-45)" text-anchor="end">'
                f"{escape(bar.label)}</text>"
            )
    return parts
