"""The benchmark's throughput as a bar chart in SVG."""

from __future__ import annotations

from xml.sax.saxutils import escape

COLOURS = {"argos": "#1f6f8b", "baseline": "#b0b7bd", "ceiling": "#e3d9c6"}
BAR, GAP, LEFT, WIDTH = 16, 14, 190, 760


def chart(medians: dict[str, dict[str, dict[str, float]]], title: str) -> str:
    """Return the picture: a group of bars for each case, one bar with its value for each subject."""
    most = max(found["rps"] for subjects in medians.values() for name, found in subjects.items() if name != "ceiling")
    scale = (WIDTH - LEFT - 90) / most
    parts: list[str] = []
    y = 40
    for case, subjects in medians.items():
        parts.append(f'<text x="{LEFT - 10}" y="{y + BAR}" text-anchor="end">{escape(case)}</text>')
        for name, found in subjects.items():
            if name == "ceiling":  # ten times the others, so it would hide them
                continue
            length = found["rps"] * scale
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{COLOURS[name]}"/>')
            parts.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + BAR - 3}">{name} {found["rps"]:.0f}</text>')
            y += BAR + 2
        y += GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="white"/><text x="12" y="22" font-size="15">{escape(title)}</text>'
        + "".join(parts)
        + "</svg>\n"
    )
