"""What orders is there for: what is ordered, what is refused and why."""

from __future__ import annotations

from grafana.panels import COLUMNS, Dashboard, Panel, rate, share, stats

JOB = 'job="orders-service"'
CREATED, REJECTED, UNITS = "orders_created_total", "orders_rejected_total", "orders_units_total"
RESERVING = 'job="products-service"'
LOOPS = 'service="orders-service"'  # what a loop counts, it leaves with the metrics of commands
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


def keys_and_stock() -> list[Panel]:
    """Return what came twice, and what was reserved."""
    return [
        Panel(
            "Answers given again",
            "cpm",
            {f"{rate('orders_replayed_total', JOB)} * 60": "to a known Idempotency-Key"},
            "Many: a caller's answers do not reach it, or it sends everything twice. No order is placed twice.",
            width=12,
        ),
        Panel(
            "Reservations by outcome",
            "cpm",
            {f"{rate('reservations_total', RESERVING, 'outcome')} * 60": "{{outcome}}"},
            "out_of_stock rises: a product is sold out. busy: many want one product's last pieces, or a lock is held.",
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


def in_doubt() -> list[Panel]:
    """Return the orders that products has not answered for yet, and what becomes of them."""
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
            "postponed: products gives no answer. rejected: requests die before products has reserved.",
        ),
    ]


def pending_orders(width: int) -> Panel:
    """Return how many orders wait for their end."""
    return Panel(
        "Orders pending",
        "short",
        {f"max by (job) (orders_pending{{{JOB}}})": "{{job}}"},
        "More than a handful that stay: customers do not know whether their order stands.",
        width=width,
        high=5,
    )


def oldest_event(width: int) -> Panel:
    """Return how far the relay lags behind."""
    return Panel(
        "Age of the oldest event to be sent",
        "s",
        {f"max by (job) (outbox_oldest_pending_age_seconds{{{JOB}}})": "{{job}}"},
        "Above a minute: the relay does not run, or its receiver is away. 0 without EVENTS_URL.",
        width=width,
        high=60,
        thresholds={60: "orange", 600: "red"},
    )


def events() -> list[Panel]:
    """Return how confirmed orders are announced, and who learns of them."""
    return [
        Panel(
            "Events to be sent",
            "short",
            {f"max by (job) (outbox_events_pending{{{JOB}}})": "{{job}}"},
            "It only grows: nothing is sent. A hill that goes down again: the relay has caught up.",
            width=6,
            high=10,
        ),
        oldest_event(6),
        Panel(
            "Dead letters",
            "short",
            {f"max by (job) (outbox_events_dead{{{JOB}}})": "{{job}}"},
            "Any: events that nobody sends any more, until somebody runs redrive_events.",
            width=6,
            high=1,
            thresholds={1: "red"},
        ),
        Panel(
            "Events sent",
            "cpm",
            {f"{rate('events_published_total', LOOPS, 'outcome')} * 60": "{{outcome}}"},
            "failed: the receiver refuses them; dead: for the last time. Told every 15 s by each relay.",
            width=6,
        ),
        Panel(
            "Events consumed by products",
            "cpm",
            {f"{rate('events_consumed_total', RESERVING, 'outcome')} * 60": "{{outcome}}"},
            "failed or invalid: no effect. duplicate: sent more than once, which does no harm.",
            width=COLUMNS,
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
            "Keys and stock": keys_and_stock(),
            "Orders in doubt": in_doubt(),
            "Events": events(),
            "Answers": answers(),
        },
        jobs=JOB,
    )
