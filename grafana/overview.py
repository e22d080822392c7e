"""What users feel, on one page: objectives, the budget that is left, orders, dependencies, alerts."""

from __future__ import annotations

from grafana.business import CREATED, JOB, REJECTED, oldest_event, pending_orders
from grafana.panels import (
    BREAKER_STATES,
    COLUMNS,
    FIRING,
    UP_OR_DOWN,
    Dashboard,
    Panel,
    quantile,
    rate,
    share,
    stats,
)

SERVICES = 'job=~"(orders|products)-service"'
REQUESTS = "http_requests_total"
# What is promised (docs/slo.md, prometheus/rules/slo.yml): requests that count, and the bound that 99 % must be under.
ORDERS = ('job="orders-service", method="POST", route="/orders"', 300)
READS = ('job="products-service", method="GET", route=~"/products(/.*)?"', 100)
PROMISES = {"orders": ORDERS, "products": READS}
ALLOWED = {"availability": 0.001, "latency": 0.01}  # the share of the requests that may miss it
BURN, LEFT = "slo:error_budget_burn:ratio_rate", "slo:error_budget_remaining:ratio"
WINDOWS = ("5m", "1h", "6h", "3d")


def objectives() -> list[Panel]:
    """Return how well the promises are kept."""
    kept = []
    for name, (_, bound) in PROMISES.items():
        kept += [
            Panel(
                f"Available: {name}",
                "percentunit",
                {kept_share(name, "availability"): "of 28 days"},
                "Below 99.9 % the objective is missed: no risky release until it recovers. Empty while nobody calls.",
                low=0.99,
                high=1,
                thresholds={0.999: "green"},
            ),
            Panel(
                f"In time: {name}",
                "percentunit",
                {kept_share(name, "latency"): f"within {bound} ms"},
                f"Below 99 %: more than one in a hundred waits longer than {bound} ms. Empty while nobody calls.",
                low=0.9,
                high=1,
                thresholds={0.99: "green"},
            ),
        ]
    left = [
        Panel(
            f"Budget left: {name}, {kind}",
            "percentunit",
            {f'{LEFT}{{slo="{name}-{kind}"}}': "of 28 days"},
            "Below zero it is overdrawn. Falling fast: see how fast it goes, below.",
            low=None,
            high=1,
            thresholds={0: "orange", 0.25: "green"},
        )
        for name in PROMISES
        for kind in ALLOWED
    ]
    return stats(*kept, *left)


def kept_share(name: str, kind: str) -> str:
    """Return the share of the requests of 28 days that kept a promise."""
    return f'1 - {BURN}28d{{slo="{name}-{kind}"}} * {ALLOWED[kind]}'


def burn() -> list[Panel]:
    """Return how fast the budgets go."""
    return [
        Panel(
            f"Burn: {name}, {kind}",
            "none",
            {f'{BURN}{window}{{slo="{name}-{kind}"}}': window for window in WINDOWS},
            "1 uses the budget up in exactly 28 days. 14.4 over an hour pages: it would be gone in two days.",
            width=6,
            high=2,
            thresholds={1: "orange", 14.4: "red"},
        )
        for name in PROMISES
        for kind in ALLOWED
    ]


def users() -> list[Panel]:
    """Return what those who call feel now."""
    orders, reads = ORDERS[0], READS[0]
    slow = "http_request_duration_seconds"
    return [
        Panel(
            "Orders a minute",
            "cpm",
            {
                f"{rate(CREATED, JOB)} * 60": "placed",
                f"{rate(REJECTED, JOB, 'reason')} * 60": "{{reason}}",
            },
            "Orders fall to zero, or products_unavailable rises: customers are turned away.",
        ),
        Panel(
            "Failing requests",
            "percentunit",
            {
                share(rate(REQUESTS, f'{selector}, status=~"5.."'), rate(REQUESTS, selector)): name
                for name, (selector, _) in PROMISES.items()
            },
            "Anything above 0.1 % that stays eats the budget.",
            high=0.01,
            thresholds={0.005: "orange", 0.01: "red"},
        ),
        Panel(
            "Slowest 1 %",
            "s",
            {quantile(0.99, slow, orders): "orders", quantile(0.99, slow, reads): "product reads"},
            "Orders above 0.3 s, reads above 0.1 s. A dot is one request: it leads to its trace.",
            high=0.3,
            exemplars=True,
        ),
    ]


def dependencies() -> list[Panel]:
    """Return who depends on whom, and who fails."""
    tries = "http_client_requests_total"
    every_try, failed_try = (
        rate(tries, selector, "job, peer") for selector in (SERVICES, f'{SERVICES}, outcome!="success"')
    )
    failed = share(failed_try, every_try, "job, peer")
    every = rate("django_db_execute_total", SERVICES, "job")
    errors = share(rate("django_db_errors_total", SERVICES, "job"), every, "job")
    return [
        Panel(
            "Services",
            "none",
            {f"min by (job) (up{{{SERVICES}}})": "{{job}}"},
            "Down: Prometheus cannot scrape a replica. If it is products, orders fail; see the breaker.",
            "state-timeline",
            high=1,
            value_names=UP_OR_DOWN,
        ),
        Panel(
            "Breaker of orders to products",
            "none",
            {f"max by (job, peer) (circuit_breaker_state{{{SERVICES}}})": "{{job}} to {{peer}}"},
            "Open: every order is refused at once, as products failed half of its calls.",
            "state-timeline",
            high=2,
            value_names=BREAKER_STATES,
        ),
        Panel(
            "Calls and statements that fail",
            "percentunit",
            {failed: "{{job}} to {{peer}}", errors: "{{job}} to its database"},
            "The one that rises first is the cause; the others follow it.",
            high=0.1,
        ),
        pending_orders(12),
        oldest_event(12),
    ]


def alerts() -> list[Panel]:
    """Return the alerts that fire."""
    firing = 'ALERTS{alertstate="firing"}'
    return [
        Panel(
            "Alerts firing",
            "none",
            {f"count({firing}) or vector(0)": "firing"},
            "Above zero. Each has a runbook in docs/runbooks.",
            "stat",
            4,
            thresholds={1: "red"},
        ),
        Panel(
            "Active alerts",
            "none",
            {f"max by (alertname, severity, service) ({firing})": "{{alertname}} {{severity}} {{service}}"},
            "A row for each alert while it fires; empty is well. Its name is its runbook's.",
            "state-timeline",
            COLUMNS - 8,
            high=1,
            value_names=FIRING,
        ),
        Panel(
            "Versions",
            "none",
            {f"count by (job, version) (argos_build_info{{{SERVICES}}})": "{{job}} {{version}}"},
            "Two versions of a service long after a deploy: it is stuck half way.",
            "stat",
            4,
            shows_names=True,
        ),
    ]


def overview() -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        "argos-overview",
        "Argos overview",
        "What users feel, and where to look next.",
        {
            "Objectives over 28 days": objectives(),
            "Alerts": alerts(),
            "What users feel": users(),
            "Who depends on whom": dependencies(),
            "How fast the budget goes": burn(),
        },
    )
