"""The business of orders: orders placed, orders refused and the reasons."""

from __future__ import annotations

from grafana.panels import COLUMNS, Dashboard, Panel, rate, share, stats

JOB = 'job="orders-service"'
CREATED, REJECTED, UNITS = "orders_created_total", "orders_rejected_total", "orders_units_total"
RESERVING = 'job="products-service"'
LOOPS = 'job=~"relay|recovery"'
CONSUMING = 'job=~"products-service|consumer"'  # over HTTP, or from RabbitMQ
ASKED = f'{JOB}, method="POST", route="/orders"'


def orders_and_rejections() -> list[Panel]:
    """Return orders a minute by outcome, and the reasons of refusals."""
    return [
        Panel(
            "Orders by outcome",
            "cpm",
            {f"{rate(CREATED, JOB)} * 60": "placed", f"{rate(REJECTED, JOB)} * 60": "rejected"},
            "No orders at a time of day that always has some. More orders rejected than placed.",
            width=12,
        ),
        Panel(
            "Rejections by reason",
            "cpm",
            {f"{rate(REJECTED, JOB, 'reason')} * 60": "{{reason}}"},
            "products_unavailable: customers are refused. product_does_not_exist: a client's catalogue is stale.",
            width=12,
        ),
    ]


def keys_and_stock() -> list[Panel]:
    """Return replayed answers and reservations."""
    return [
        Panel(
            "Replayed answers",
            "cpm",
            {f"{rate('orders_replayed_total', JOB)} * 60": "for a known Idempotency-Key"},
            "Many: a client loses its answers or sends everything twice. Each order is still placed once.",
            width=12,
        ),
        Panel(
            "Reservations by outcome",
            "cpm",
            {f"{rate('reservations_total', RESERVING, 'outcome')} * 60": "{{outcome}}"},
            "out_of_stock rises: a product is sold out. busy: many clients order one product, or a lock is held.",
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
            "Units in a day", "short", {units: "units"}, "Far more units an order than usual: a mistake or a reseller."
        ),
        Panel(
            "Units an order",
            "none",
            {f"{units} / ({placed} > 0)": "units"},
            "A jump: one client has changed its orders. Empty without orders.",
        ),
        Panel(
            "Rejected in a day",
            "percentunit",
            {share(rejected, f"({placed} + {rejected})"): "of well-formed orders"},
            "Above 2 %: see the reasons below. Empty without orders.",
            high=1,
            thresholds={0.02: "orange", 0.1: "red"},
        ),
    )


def funnel() -> list[Panel]:
    """Return how many requests reach each step to an order."""
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
            "A step loses more than a few per cent: 2 invalid requests, 3 products fails, 4 stale catalogues.",
            "bargauge",
            12,
        ),
        Panel(
            "Units by time",
            "cpm",
            {f"{rate(UNITS, JOB)} * 60": "units a minute"},
            "The line moves apart from orders a minute: the size of an order has changed.",
            width=12,
        ),
    ]


def in_doubt() -> list[Panel]:
    """Return the pending orders and their outcomes."""
    return [
        pending_orders(8),
        Panel(
            "Age of the oldest pending order",
            "s",
            {f"max by (job) (orders_oldest_pending_age_seconds{{{JOB}}})": "{{job}}"},
            "Above two minutes: recovery does not run, or products does not answer. Five minutes alert.",
            high=120,
            thresholds={300: "orange", 1800: "red"},
        ),
        Panel(
            "Recovery",
            "cpm",
            {f"{rate('orders_recovered_total', LOOPS, 'outcome')} * 60": "{{outcome}}"},
            "postponed: products does not answer. rejected: requests died before products reserved.",
        ),
    ]


def pending_orders(width: int) -> Panel:
    """Return the number of pending orders."""
    return Panel(
        "Orders pending",
        "short",
        {f"max by (job) (orders_pending{{{JOB}}})": "{{job}}"},
        "More than a few for long: customers do not know whether their order is confirmed.",
        width=width,
        high=5,
    )


def oldest_event(width: int) -> Panel:
    """Return the lag of the relay."""
    return Panel(
        "Age of the oldest unsent event",
        "s",
        {f"max by (job) (outbox_oldest_pending_age_seconds{{{JOB}}})": "{{job}}"},
        "Above a minute: the relay does not run, or its receiver is unavailable. 0 without EVENTS_URL.",
        width=width,
        high=60,
        thresholds={60: "orange", 600: "red"},
    )


def events() -> list[Panel]:
    """Return the delivery of events and their effects."""
    return [
        Panel(
            "Unsent events",
            "short",
            {f"max by (job) (outbox_events_pending{{{JOB}}})": "{{job}}"},
            "Growing only: the relay sends nothing. A hill that falls again: the relay has caught up.",
            width=6,
            high=10,
        ),
        oldest_event(6),
        Panel(
            "Dead letters",
            "short",
            {f"max by (job) (outbox_events_dead{{{JOB}}})": "{{job}}"},
            "Any: these events are not sent until you run redrive_events.",
            width=6,
            high=1,
            thresholds={1: "red"},
        ),
        Panel(
            "Events sent",
            "cpm",
            {f"{rate('events_published_total', LOOPS, 'outcome')} * 60": "{{outcome}}"},
            "failed: the receiver refuses them. dead: for the last time.",
            width=6,
        ),
        Panel(
            "Events consumed by products",
            "cpm",
            {f"{rate('events_consumed_total', CONSUMING, 'outcome')} * 60": "{{outcome}}"},
            "failed or invalid: no effect. duplicate: sent more than once, which is harmless.",
            width=COLUMNS,
        ),
    ]


def answers() -> list[Panel]:
    """Return the answers to clients that order."""
    return [
        Panel(
            "Answers to POST /orders",
            "reqps",
            {rate("http_requests_total", ASKED, "status"): "{{status}}"},
            "500: products did not answer, or a bug. 400: refused with a reason. 415 and 413: the client's mistake.",
            width=COLUMNS,
        )
    ]


def orders_business() -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        "orders-business",
        "Orders business",
        "Orders placed, orders refused, and the reasons.",
        {
            "Today": today(),
            "Orders": orders_and_rejections(),
            "From the request to the order": funnel(),
            "Keys and stock": keys_and_stock(),
            "Orders in doubt": in_doubt(),
            "Events": events(),
            "Answers": answers(),
        },
        jobs=JOB,
    )
