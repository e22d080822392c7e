"""What orders is there for: what is ordered, what is refused and why."""

from __future__ import annotations

from grafana.panels import COLUMNS, Dashboard, Panel, rate, share, stats

JOB = 'job="orders-service"'
CREATED, REJECTED, UNITS = "orders_created_total", "orders_rejected_total", "orders_units_total"
ASKED = f'{JOB}, method="POST", route="/orders"'


def orders_and_rejections() -> list[Panel]:
    """Return orders a minute by how they ended, and why they were refused."""
    return [
        Panel(
            "Orders by outcome",
            "cpm",
            {f"{rate(CREATED, JOB)} * 60": "placed", f"{rate(REJECTED, JOB)} * 60": "rejected"},
            "No orders placed at a time of day when there are always some; more rejected than placed.",
            width=12,
        ),
        Panel(
            "Rejections by reason",
            "cpm",
            {f"{rate(REJECTED, JOB, 'reason')} * 60": "{{reason}}"},
            "products_unavailable: customers are turned away. product_does_not_exist: a caller's catalogue is stale.",
            width=12,
        ),
    ]


def today() -> list[Panel]:
    """Return the figures of the last day."""
    placed, rejected = f"sum(increase({CREATED}{{{JOB}}}[1d]))", f"sum(increase({REJECTED}{{{JOB}}}[1d]))"
    units = f"sum(increase({UNITS}{{{JOB}}}[1d]))"
    return stats(
        Panel("Orders in a day", "short", {placed: "orders"}, "Far fewer than on the same day of last week."),
        Panel(
            "Units in a day", "short", {units: "units"}, "Far more to an order than usual: a mistake, or a reseller."
        ),
        Panel(
            "Units an order",
            "none",
            {f"{units} / ({placed} > 0)": "units"},
            "A jump: one caller sends something else than it did. Empty while nobody orders.",
        ),
        Panel(
            "Rejected in a day",
            "percentunit",
            {share(rejected, f"({placed} + {rejected})"): "of what was well-formed"},
            "Above 2 %: look at the reasons below. Empty while nobody orders.",
            high=1,
            thresholds={0.02: "orange", 0.1: "red"},
        ),
    )


def funnel() -> list[Panel]:
    """Return how many of the requests reach each step on the way to an order."""
    requests = f"sum(increase(http_requests_total{{{ASKED}}}[1h]))"
    placed, refused = f"sum(increase({CREATED}{{{JOB}}}[1h]))", f"sum(increase({REJECTED}{{{JOB}}}[1h]))"
    no_answer = f'sum(increase({REJECTED}{{{JOB}, reason="products_unavailable"}}[1h]))'
    return [
        Panel(
            "Funnel of the last hour",
            "short",
            {
                requests: "1 asked",
                f"{placed} + {refused}": "2 well-formed",
                f"{placed} + {refused} - {no_answer}": "3 products answered",
                placed: "4 placed",
            },
            "A step that loses more than a few per cent: at 2 callers err, at 3 products fails, at 4 catalogues lag.",
            "bargauge",
            12,
        ),
        Panel(
            "Units by time",
            "cpm",
            {f"{rate(UNITS, JOB)} * 60": "units a minute"},
            "It parts from the orders a minute: the size of an order has changed.",
            width=12,
        ),
    ]


def answers() -> list[Panel]:
    """Return what those who order are answered."""
    return [
        Panel(
            "Answers to POST /orders",
            "reqps",
            {rate("http_requests_total", ASKED, "status"): "{{status}}"},
            "500: products could not be asked, or a bug; 400: refused with a reason; 415 and 413: a caller's mistake.",
            width=COLUMNS,
        )
    ]


def orders_business() -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        "orders-business",
        "Orders business",
        "What is ordered, what is refused, and why.",
        {
            "Today": today(),
            "Orders": orders_and_rejections(),
            "From the request to the order": funnel(),
            "Answers": answers(),
        },
        jobs=JOB,
    )
