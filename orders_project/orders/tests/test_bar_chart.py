"""Bars, for a terminal and as SVG."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from orders_project.orders.management.bar_chart import Bar, blocks, svg

SVG = "{http://www.w3.org/2000/svg}"


def draw(*bars: Bar) -> ET.Element:
    return ET.fromstring(svg(bars, title="Orders <by> day & night", x_label="day", y_label="orders"))


def texts(chart: ET.Element) -> list[str]:
    return [str(element.text) for element in chart.iter(f"{SVG}text")]


def drawn(chart: ET.Element) -> list[ET.Element]:
    return [element for element in chart.iter(f"{SVG}rect") if element.get("class") == "bar"]


@pytest.mark.parametrize(
    ("value", "expected"), [(0, ""), (1, "▏"), (50, "████"), (100, "████████"), (53, "████▎"), (56, "████▌")]
)
def test_a_bar_of_blocks_is_exact_to_an_eighth(value: int, expected: str) -> None:
    assert blocks(value, 100, width=8) == expected


def test_the_smallest_value_is_seen() -> None:
    assert blocks(1, 1_000_000) == "▏"
    assert float(drawn(draw(Bar("a", 1), Bar("b", 1_000_000)))[0].get("height", "")) >= 1


def test_a_chart_has_its_title_and_its_axes_names() -> None:
    chart = draw(Bar("2026-11-20", 3))

    assert chart.findtext(f"{SVG}title") == "Orders <by> day & night"
    assert {"Orders <by> day & night", "day", "orders", "2026-11-20"} <= set(texts(chart))


def test_bars_are_as_high_as_their_values() -> None:
    heights = [float(bar.get("height", "")) for bar in drawn(draw(Bar("a", 10), Bar("b", 5), Bar("c", 0)))]

    assert heights[0] == 2 * heights[1] > 0
    assert heights[2] == 0


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (1, ["0", "1"]),
        (7, ["0", "2", "4", "6", "8"]),
        (23_456, ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]),
    ],
)
def test_the_axis_counts_in_round_numbers(largest: int, ticks: list[str]) -> None:
    assert [text for text in texts(draw(Bar("a", largest))) if text.replace(",", "").isdigit()] == ticks


def test_a_bar_tells_more_where_one_points_at_it() -> None:
    chart = draw(Bar("a", 1_000), Bar("b", 2, "two & more"))

    assert [bar.findtext(f"{SVG}title") for bar in drawn(chart)] == ["a: 1,000", "two & more"]


def test_of_many_bars_some_have_a_label_and_all_lie_side_by_side() -> None:
    chart = draw(*(Bar(f"bar {number}", number) for number in range(1000)))

    assert len([text for text in texts(chart) if text.startswith("bar ")]) == 25
    places = [(float(bar.get("x", "")), float(bar.get("width", ""))) for bar in drawn(chart)]
    assert all(x + width <= following for (x, width), (following, _) in pairwise(places))
    assert places[-1][0] + places[-1][1] <= 940


def test_a_chart_of_nothing_is_a_chart() -> None:
    assert drawn(draw()) == []
    assert "1" in texts(draw())
