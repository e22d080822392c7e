"""The test data of each alert: a fault that fires it, one just too small for it, and a healthy state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus.make_slo_rules import ALERT_NAMES, BURN_ALERTS, OBJECTIVES, BurnAlert, Objective

ORDERS, JAEGER = "orders-service", "jaeger"
POST_ORDERS = f'job="{ORDERS}", instance="o:1", method="POST", route="/orders"'
UP = f'up{{job="{ORDERS}", instance="o:1"}}'
HTTP = f'job="{ORDERS}", instance="o:1"'
SQL = f'{HTTP}, alias="default", vendor="postgresql"'

Value = (
    float | str | None
)  # a counter's growth in a step or a gauge's value; promtool's notation; None without a series


@dataclass(frozen=True)
class Series:
    """One series in each state."""

    name: str
    bad: Value
    below: Value = 0
    good: Value = 0
    is_counter: bool = True


@dataclass(frozen=True)
class Alert:
    """The test data of one alert; times are steps of `step` minutes."""

    name: str
    severity: str
    series: list[Series]
    service: str = ORDERS
    labels: Mapping[str, str] = field(default_factory=dict)
    step: int = 1
    lasts: int = 20  # steps of the fault until the alert must fire
    resolves_after: int = 12  # healthy steps until the alert must have ended
    just_short: int = 0  # steps of the fault that must not fire it
    fires_without_data: bool = False

    @property
    def title(self) -> str:
        return " ".join([self.name, self.severity, self.service, *self.labels.values()])


def gauge(name: str, bad: Value, below: Value = 0, good: Value = 0) -> Series:
    return Series(name, bad, below, good, is_counter=False)


def share(bad: Series, rest: str, *, of: float, at: float) -> list[Series]:
    """Return a counter of bad events just above or just below a share of all, and one of good events."""
    over, under = at * of + of / 100_000, at * of - of / 100_000
    return [Series(bad.name, over, under, 0), Series(rest, of - over, of - under, of)]


def histogram(name: str, labels: str, bucket: str, next_bucket: str, *, quantile: float) -> list[Series]:
    """Return a histogram whose quantile is just above or just below a bucket's boundary."""
    over, under = 100_000 * quantile - 10, 100_000 * quantile + 10
    every = (100_000, 100_000, 100_000)
    return [
        Series(f'{name}_bucket{{{labels}, le="{bucket}"}}', over, under, 99_999),
        Series(f'{name}_bucket{{{labels}, le="{next_bucket}"}}', *every),
        Series(f'{name}_bucket{{{labels}, le="+Inf"}}', *every),
    ]


def burning(objective: Objective, rate: float) -> list[Series]:
    """Return requests of which slightly more, or slightly less, than `rate` times the budget are bad."""
    every = 100_000.0
    limit = rate * (1 - objective.target) * every
    # The labels of one series that the objective counts.
    requests = re.sub(r'=~"(.*?)\(/\.\*\)\?"', r'="\1"', objective.requests) + ', instance="x:1"'
    if objective.kind == "availability":
        return [
            Series(f'http_requests_total{{{requests}, status="503"}}', limit + 1, limit - 1, 0),
            Series(f'http_requests_total{{{requests}, status="200"}}', every - limit - 1, every - limit + 1, every),
        ]
    name = objective.histogram
    return [
        Series(f'{name}_bucket{{{requests}, le="{objective.within}"}}', every - limit - 1, every - limit + 1, every),
        Series(f"{name}_count{{{requests}}}", every, every, every),
    ]


def burn_alert(objective: Objective, burn: BurnAlert) -> Alert:
    # Steps of five minutes for the long windows. The alert resolves when the fault has left the short window.
    step, lasts, after = {"1h": (1, 30, 10), "6h": (5, 12, 10), "1d": (5, 30, 30), "3d": (5, 30, 80)}[burn.long]
    return Alert(
        ALERT_NAMES[objective.kind],
        burn.severity,
        burning(objective, burn.rate),
        objective.service,
        {"slo": objective.slo, "window": burn.name},
        step=step,
        lasts=lasts,
        resolves_after=after,
    )


def gateway_answers(name: str, severity: str, status: int, at: float) -> Alert:
    requests = 'gateway_requests_total{{job="gateway", instance="g:1", status="{}", answered_by="{}"}}'
    bad = Series(requests.format(status, "gateway"), 0)
    return Alert(name, severity, share(bad, requests.format(200, "products"), of=100_000, at=at), "gateway")


def responses(severity: str, bucket: str, next_bucket: str) -> Alert:
    series = histogram("http_request_duration_seconds", POST_ORDERS, bucket, next_bucket, quantile=0.95)
    return Alert("SlowResponses", severity, series)


def errors(severity: str, at: float) -> Alert:
    bad = Series(f'http_requests_total{{{POST_ORDERS}, status="500"}}', 0)
    good = f'http_requests_total{{{POST_ORDERS}, status="201"}}'
    return Alert("HighErrorRate", severity, share(bad, good, of=100_000, at=at))


def unwatched(service: str) -> Alert:
    up = gauge(f'up{{job="{service}", instance="x:1"}}', None, 1, 1)
    return Alert("ServiceDown", "critical", [up], service, just_short=1, fires_without_data=True)


def command(name: str, bad: Value, below: Value, good: Value, instance: str = "backup") -> Series:
    return gauge(
        f'ops_command_last_{name}_timestamp_seconds{{service="{ORDERS}", command="{instance}"}}', bad, below, good
    )


FAILED_OPENINGS = Series(f"django_db_new_connection_errors_total{{{SQL}}}", 0)
FAILED_STATEMENTS = Series(f'django_db_errors_total{{{SQL}, type="OperationalError"}}', 0)
STATEMENTS, OPENINGS = f"django_db_execute_total{{{SQL}}}", f"django_db_new_connections_total{{{SQL}}}"
ALWAYS_UP = gauge(UP, 1, 1, 1)
COLLECTOR = f'job="{JAEGER}", instance="j:8888"'
FORGOTTEN = f"otelcol_processor_tail_sampling_sampling_trace_dropped_too_early{{{COLLECTOR}}}"
REFUSED, FAILED = (
    f'otelcol_receiver_{what}_spans{{{COLLECTOR}, receiver="otlp", transport="http"}}' for what in ("refused", "failed")
)
MEMORY = 0.8 * 512 * 1024 * 1024
RESTARTS = f"process_start_time_seconds{{{HTTP}}}"

ALERTS = [
    *(burn_alert(objective, burn) for objective in OBJECTIVES for burn in BURN_ALERTS),
    Alert("ServiceDown", "critical", [gauge(UP, 0, 1, 1)], just_short=1, fires_without_data=True),
    *map(unwatched, sorted({objective.service for objective in OBJECTIVES} | {"gateway"})),
    Alert("NotReady", "critical", [gauge(f'service_ready{{{HTTP}, probe="database"}}', 0, 1, 1)], just_short=1),
    errors("warning", 0.005),
    errors("critical", 0.01),
    gateway_answers("GatewayErrors", "warning", 502, 0.005),
    gateway_answers("GatewayErrors", "critical", 504, 0.01),
    gateway_answers("GatewayRefusesClients", "warning", 429, 0.05),
    responses("warning", "0.3", "0.5"),
    responses("critical", "0.5", "1.0"),
    Alert(  # of the shop
        "ProductsUnavailableForOrders",
        "critical",
        share(
            Series(f'orders_rejected_total{{{HTTP}, reason="products_unavailable"}}', 0),
            f"orders_created_total{{{HTTP}}}",
            of=100_000,
            at=0.01,
        ),
    ),
    Alert("CircuitBreakerOpen", "warning", [gauge(f'circuit_breaker_state{{{HTTP}, peer="products"}}', 2, 1, 0)]),
    Alert(
        "RetryBudgetExhausted",
        "warning",
        [
            Series(f'http_client_retries_refused_total{{{HTTP}, peer="products"}}', 1001, 999, 0),
            Series(
                f'http_client_requests_total{{{HTTP}, peer="products", outcome="timeout"}}', 100_000, 100_000, 100_000
            ),
        ],
    ),
    Alert(
        "DatabaseErrors",
        "critical",
        [*share(FAILED_STATEMENTS, STATEMENTS, of=100_000, at=0.001), Series(OPENINGS, 0, 0, 0), ALWAYS_UP],
    ),
    # The database is down from the start: no statement was ever tried.
    Alert("DatabaseErrors", "critical", [*share(FAILED_OPENINGS, OPENINGS, of=100_000, at=0.001), ALWAYS_UP]),
    Alert("SlowQueries", "warning", histogram("django_db_query_duration_seconds", SQL, "0.1", "0.25", quantile=0.95)),
    Alert(
        "ConnectionsNearLimit",
        "warning",
        [
            gauge(f"database_connections{{{HTTP}}}", 81, 80, 20),
            gauge(f"database_connections_limit{{{HTTP}}}", 100, 100, 100),
        ],
    ),
    Alert(
        "MemoryNearLimit",
        "warning",
        [
            gauge(
                f"process_resident_memory_bytes{{{HTTP}}}", f"{int(MEMORY) + 1}x20", f"{int(MEMORY) - 1}x20", 80_000_000
            )
        ],
    ),
    Alert(
        "RestartLoop",
        "critical",
        # Every minute; three times in a quarter of an hour; never.
        [gauge(RESTARTS, "100+60x20", " ".join(f"{start}x4" for start in range(100, 800, 100)), 5000)],
        resolves_after=20,
    ),
    Alert("TelemetryDropped", "warning", [Series(f"telemetry_spans_dropped_total{{{HTTP}}}", 5)], just_short=3),
    Alert("TracesLost", "warning", [Series(FORGOTTEN, 1), Series(REFUSED, 0), Series(FAILED, 0)], JAEGER),
    Alert("TracesLost", "warning", [Series(FORGOTTEN, 0), Series(REFUSED, 1), Series(FAILED, 0)], JAEGER),
    Alert("TracesLost", "warning", [Series(FORGOTTEN, 0), Series(REFUSED, 0), Series(FAILED, 1)], JAEGER),
    # The first traces that are forgotten, all between two scrapes.
    Alert("TracesLost", "warning", [gauge(FORGOTTEN, "_x7 3x3", 0, 3)], JAEGER, lasts=10),
    Alert(
        "ThreadsSaturated",
        "warning",
        [
            Series(f"web_queue_seconds_total{{{HTTP}}}", 20_001, 19_999, 10),
            Series(f'http_requests_total{{{POST_ORDERS}, status="201"}}', 100_000, 100_000, 100_000),
        ],
    ),
    Alert("LogLinesLost", "warning", [Series(f"log_lines_lost_total{{{HTTP}}}", 5)]),
    Alert(
        "MigrationsPending",
        "warning",
        [
            gauge(f'service_ready{{{HTTP}, probe="migrations"}}', 0, 0, 1),
            gauge(f'service_ready{{{HTTP}, probe="database"}}', 1, 0, 1),  # whether any are pending is unknown
        ],
    ),
    Alert(
        "CommandFailed",
        "warning",
        [command("failure", 600, 600, 600), command("success", 599, 600, 601)],
        labels={"command": "backup"},
    ),
    Alert(
        "CommandFailed",
        "warning",
        [command("failure", 600, 600, 600, "seed_products"), command("success", None, 600, 601, "seed_products")],
        labels={"command": "seed_products"},
    ),
    Alert(
        "CommandOverdue",
        "warning",
        [command("success", 1200 - 26 * 3600 - 1, 1200 - 26 * 3600, 1200)],
        labels={"command": "backup"},
    ),
    Alert(
        "CommandOverdue",
        "warning",
        # It never ran; it is just not overdue.
        [ALWAYS_UP, command("success", None, 14_400, 136_800)],
        labels={"command": "backup"},
        step=60,
        lasts=30,
    ),
    Alert("OutboxLag", "warning", [gauge(f"outbox_oldest_pending_age_seconds{{{HTTP}}}", 61, 60, 0)]),
    Alert("OutboxLag", "critical", [gauge(f"outbox_oldest_pending_age_seconds{{{HTTP}}}", 601, 600, 0)]),
    Alert("DeadLetters", "warning", [gauge(f"outbox_events_dead{{{HTTP}}}", 1, 0, 0)]),
    Alert(
        "DeadLetters",
        "warning",
        [Series('events_consumed_total{job="consumer", type="unknown", outcome="dead"}', 1)],
        "consumer",
        resolves_after=65,  # the window of an hour
    ),
    *(  # of the shop
        Alert("OrdersPendingTooLong", severity, [gauge(f"orders_oldest_pending_age_seconds{{{HTTP}}}", above, at, 0)])
        for severity, above, at in (("warning", 301, 300), ("critical", 1801, 1800))
    ),
]
