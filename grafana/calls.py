"""The arrows between services: calls, failures and durations of each caller and peer, from the caller's metrics.

Jaeger draws the same from spans, in Explore; a panel would have it read every trace of the hour each ten seconds.
"""

from __future__ import annotations

from grafana.panels import Panel, quantile, rate, share

CALLERS = 'job=~".+-service|relay|recovery|(.+-)?consumer"'
ARROW = "{{job}} → {{peer}}"
PEERS, DATABASE, EVENTS = "job, peer", "its database", "events"


def to(peer: str, expr: str) -> str:
    """Return series of a caller with the peer as a label."""
    return f'label_replace({expr}, "peer", "{peer}", "", "")'


def counted(calls: str, statements: str, events: str) -> str:
    """Return the rate of these calls, statements and events by arrow."""
    metrics = (
        rate("http_client_requests_total", calls, PEERS),
        to(DATABASE, rate(statements, CALLERS, "job")),
        to(EVENTS, events),
    )
    return "\nor ".join(metrics)


def who_calls_whom() -> list[Panel]:
    """Return the arrows as bars, the same ones in each panel."""
    sending, sent = (rate("events_published_total", f"{CALLERS}{more}", "job") for more in ("", ', outcome="sent"'))
    every = counted(CALLERS, "django_db_execute_total", sending)
    unsent = f"clamp_min({sending} - {sent} or {sending}, 0)"
    failed = counted(f'{CALLERS}, outcome!="success"', "django_db_errors_total", unsent)
    slowest = "\nor ".join(
        (
            quantile(0.95, "http_client_request_duration_seconds", CALLERS, PEERS),
            to(DATABASE, quantile(0.95, "django_db_query_duration_seconds", CALLERS, "job")),
        )
    )
    return [
        Panel(
            "Calls a second",
            "reqps",
            {every: ARROW},
            "An arrow is missing or zero: its caller is down. events is the receiver of the relay's events.",
            "bargauge",
        ),
        Panel(
            "Failed calls",
            "percentunit",
            {share(f"({failed})", f"({every})", PEERS): ARROW},
            "The arrow that fails points to the cause.",
            "bargauge",
            high=1,
            exact=True,
            thresholds={0.01: "orange", 0.1: "red"},
        ),
        Panel(
            "Slowest 5 % of calls",
            "s",
            {slowest: ARROW},
            "The slow arrow points to the cause. The relay measures no duration.",
            "bargauge",
            high=0.3,
            thresholds={0.15: "orange", 0.3: "red"},
        ),
    ]
