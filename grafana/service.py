"""The dashboard of any one service, from what its users feel down to what its processes use."""

from __future__ import annotations

import json
from urllib.parse import quote

from grafana.now import busy, now
from grafana.panels import BREAKER_STATES, COLUMNS, INTERVAL, READY, Dashboard, Panel, Variable, quantile, rate, share

# Grafana's Explore, on Jaeger's traces of the service in the last hour.
SEARCH = {
    "a": {
        "datasource": "jaeger",
        "queries": [{"refId": "A", "queryType": "search", "service": "SERVICE"}],
        "range": {"from": "now-1h", "to": "now"},
    }
}
TRACES = f"/explore?schemaVersion=1&panes={quote(json.dumps(SEARCH, separators=(',', ':')))}"


def red(job: str) -> list[Panel]:
    """Return rate, errors and duration by route."""
    by_route, legend = "method, route", "{{method}} {{route}}"
    failed = rate("http_requests_total", f'{job}, status=~"[45].."', f"{by_route}, status")
    return [
        Panel(
            "Rate by route",
            "reqps",
            {rate("http_requests_total", job, by_route): legend},
            "A route that falls to zero while others go on.",
        ),
        Panel(
            "Errors by route",
            "reqps",
            {failed: f"{legend} {{{{status}}}}"},
            "5xx is ours: any that stays. 4xx is the caller's: a jump after a deploy means that we broke a contract.",
        ),
        Panel(
            "Median duration by route",
            "s",
            {quantile(0.5, "http_request_duration_seconds", job, by_route): legend},
            "A step up: everybody is slower; compare with the database and the processor below.",
            high=0.05,
        ),
        Panel(
            "Slowest 1 % by route",
            "s",
            {quantile(0.99, "http_request_duration_seconds", job, by_route): legend},
            "Far above the median: locks, retries or a full pool. A dot is one request: it leads to its trace.",
            width=COLUMNS,
            high=0.3,
            thresholds={0.3: "orange", 0.5: "red"},
            exemplars=True,
        ),
    ]


def saturation(job: str) -> list[Panel]:
    """Return how near the service is to what it can take."""
    waiting = rate("web_queue_seconds_total", job)
    return [
        Panel(
            "Threads busy on average",
            "percentunit",
            {busy(job): "busy"},
            "Above 70 %: requests begin to wait for a thread. Add replicas, or find what holds the threads. Low, and "
            "connections wait all the same: the CPU is the limit.",
            width=6,
            high=1,
            thresholds={0.7: "orange", 0.9: "red"},
        ),
        Panel(
            "Connections waiting for a thread",
            "none",
            {waiting: "waiting"},
            "Or for its turn to compute. Above one that stays: every request waits before it begins; its duration does "
            "not show it.",
            width=6,
            high=1,
        ),
        Panel(
            "Workers",
            "none",
            {f"sum by (instance) (web_workers{{{job}}})": "{{instance}}"},
            "Fewer than WEB_CONCURRENCY: a worker dies as fast as it is started; its log says of what.",
            width=6,
            high=2,
        ),
        Panel(
            "Lines of trouble logged",
            "ops",
            {rate("log_lines_total", job, "level"): "{{level}}"},
            "error or critical that stays: search the logs for that level; each line has its trace_id.",
            width=6,
            high=0.1,
        ),
    ]


def outbound(job: str) -> list[Panel]:
    """Return what the calls to other services come to."""
    tries, seconds = "http_client_requests_total", "http_client_request_duration_seconds"
    failed = share(rate(tries, f'{job}, outcome!="success"', "peer"), rate(tries, job, "peer"), "peer")
    return [
        Panel(
            "Tries by outcome",
            "reqps",
            {rate(tries, job, "peer, outcome"): "{{peer}} {{outcome}}"},
            "Anything but success: timeout is a slow peer, connection_error one that is gone, breaker_open the result.",
        ),
        Panel(
            "Failed tries",
            "percentunit",
            {failed: "{{peer}}"},
            "At 50 % of 20 calls in 10 s the breaker opens.",
            high=1,
            exact=True,
            thresholds={0.1: "orange", 0.5: "red"},
        ),
        Panel(
            "Duration of a try",
            "s",
            {
                quantile(0.5, seconds, job, "peer"): "{{peer}} p50",
                quantile(0.99, seconds, job, "peer"): "{{peer}} p99",
            },
            "Near 1 s: tries run into their timeout, and orders are retried or refused.",
            high=0.1,
        ),
        Panel(
            "Circuit breaker",
            "none",
            {f"max by (peer) (circuit_breaker_state{{{job}}})": "{{peer}}"},
            "Open: every order is refused at once. It lets one trial through every 5 s.",
            "state-timeline",
            COLUMNS // 2,
            high=2,
            value_names=BREAKER_STATES,
        ),
        Panel(
            "Retries refused",
            "ops",
            {rate("http_client_retries_refused_total", job, "peer"): "{{peer}}"},
            "Anything that stays: so many calls fail that no more are tried again. The peer is down, not shaky.",
            width=COLUMNS // 2,
            high=0.1,
        ),
    ]


def database(job: str) -> list[Panel]:
    """Return how the database serves."""
    seconds = "django_db_query_duration_seconds"
    return [
        Panel(
            "Statements",
            "ops",
            {rate("django_db_execute_total", job): "statements"},
            "Growing faster than the requests: somebody queries in a loop.",
            width=6,
        ),
        Panel(
            "Duration of a statement",
            "s",
            {quantile(q, seconds, job): f"p{q * 100:.0f}" for q in (0.5, 0.95, 0.99)},
            "p95 above 0.1 s: slow statements. p99 near 2 s: waits for locks. Near 5 s: they run into their timeout.",
            width=6,
            high=0.1,
            thresholds={0.1: "orange"},
        ),
        Panel(
            "Database errors by type",
            "ops",
            {rate("django_db_errors_total", job, "type"): "{{type}}"},
            "OperationalError: the database is gone, or its locks and timeouts bite. IntegrityError: a bug of ours.",
            width=6,
            high=0.1,
        ),
        Panel(
            "Connections taken and failed",
            "ops",
            {
                rate("django_db_new_connections_total", job): "taken from the pool",
                rate("django_db_new_connection_errors_total", job): "failed",
            },
            "Failed: the database refuses, or no connection of the pool was free within 2 s.",
            width=6,
        ),
        Panel(
            "Connections of the database server",
            "short",
            {
                f"max(database_connections{{{job}}})": "used, by all its clients",
                f"max(database_connections_limit{{{job}}})": "limit",
            },
            "Used near the limit: soon the server refuses everybody. PostgreSQL only; SQLite has none.",
            width=COLUMNS,
        ),
    ]


def process(job: str) -> list[Panel]:
    """Return what the processes use."""
    return [
        Panel(
            "Processor",
            "percentunit",
            {f"rate(process_cpu_seconds_total{{{job}}}[{INTERVAL}])": "{{instance}}"},
            "Near 100 % for each worker process: one process cannot use more. Add replicas.",
            high=1,
        ),
        Panel(
            "Memory",
            "bytes",
            {f"process_resident_memory_bytes{{{job}}}": "{{instance}}"},
            "A line that only rises; above 110 MB a worker; near 512 MB, where production's limit kills it.",
            high=536_870_912,
            thresholds={429_496_730: "orange"},
        ),
        Panel(
            "File descriptors in use",
            "percentunit",
            {f"process_open_fds{{{job}}} / process_max_fds{{{job}}}": "{{instance}}"},
            "A line that only rises: connections leak. At 100 % nobody can connect.",
            high=0.1,
        ),
        Panel(
            "Readiness by probe",
            "none",
            {f"min by (probe) (service_ready{{{job}}})": "{{probe}}"},
            "Not ready: the load balancer leaves the replica out. migrations: the deploy did not migrate first.",
            "state-timeline",
            COLUMNS,
            high=1,
            value_names=READY,
        ),
    ]


def any_service() -> Dashboard:
    """Return the dashboard with a choice of the service."""
    job = 'job="$service"'
    return Dashboard(
        "service",
        "Service",
        "One service: its requests, what it depends on, and what it uses.",
        {
            "Now": now(job),
            "Requests": red(job),
            "Saturation": saturation(job),
            "Database": database(job),
            "Outbound calls (a service that makes none has none)": outbound(job),
            "Process": process(job),
        },
        (Variable("service", "argos_build_info", "job"),),
        job,
        {"Traces of ${service}": TRACES.replace("SERVICE", "${service}")},
    )
