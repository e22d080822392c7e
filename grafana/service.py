"""The dashboard of one service, from the impact on users to the resources of its processes."""

from __future__ import annotations

import json
from urllib.parse import quote

from grafana.now import busy, now
from grafana.panels import BREAKER_STATES, COLUMNS, INTERVAL, READY, Dashboard, Panel, Variable, quantile, rate, share


def explore(**query: str) -> str:
    """Return the address of Grafana's Explore with a question to Jaeger about the last hour."""
    queries = [{"refId": "A", **query}]
    panes = {"a": {"datasource": "jaeger", "queries": queries, "range": {"from": "now-1h", "to": "now"}}}
    return f"/explore?schemaVersion=1&panes={quote(json.dumps(panes, separators=(',', ':')))}"


TRACES = explore(queryType="search", service="SERVICE")
# A link, not a panel: Jaeger reads every trace of the hour for it, and a panel would ask every ten seconds.
WHO_CALLS_WHOM = explore(queryType="dependencyGraph")


def red(job: str) -> list[Panel]:
    """Return rate, errors and duration by route."""
    by_route, legend = "method, route", "{{method}} {{route}}"
    failed = rate("http_requests_total", f'{job}, status=~"[45].."', f"{by_route}, status")
    return [
        Panel(
            "Rate by route",
            "reqps",
            {rate("http_requests_total", job, by_route): legend},
            "A route falls to zero while others continue.",
        ),
        Panel(
            "Errors by route",
            "reqps",
            {failed: f"{legend} {{{{status}}}}"},
            "5xx for long: our fault. A jump of 4xx after a deploy: we broke a contract.",
        ),
        Panel(
            "Median duration by route",
            "s",
            {quantile(0.5, "http_request_duration_seconds", job, by_route): legend},
            "A step up: every request is slower. Compare with the database and the processor below.",
            high=0.05,
        ),
        Panel(
            "Slowest 1 % by route",
            "s",
            {quantile(0.99, "http_request_duration_seconds", job, by_route): legend},
            "Far above the median: locks, retries or a full pool. A dot is one request; click it for its trace.",
            width=COLUMNS,
            high=0.3,
            thresholds={0.3: "orange", 0.5: "red"},
            exemplars=True,
        ),
    ]


def saturation(job: str) -> list[Panel]:
    """Return the saturation of the service."""
    waiting = rate("web_queue_seconds_total", job)
    return [
        Panel(
            "Threads busy on average",
            "percentunit",
            {busy(job): "busy"},
            "Above 70 %: requests begin to wait for a thread. Add replicas, or find the slow requests. Low while "
            "connections wait: the CPU is the limit.",
            width=6,
            high=1,
            thresholds={0.7: "orange", 0.9: "red"},
        ),
        Panel(
            "Connections waiting for a thread",
            "none",
            {waiting: "waiting"},
            "Or for a turn to compute. Above one for long: every request waits before it starts; its duration "
            "includes that.",
            width=6,
            high=1,
        ),
        Panel(
            "Oldest waiting request",
            "s",
            {f"max by (instance) (web_queue_age_seconds{{{job}}})": "{{instance}}"},
            "Near WEB_QUEUE_TIMEOUT (1.5 s): requests are refused with 503 busy.",
            width=6,
            high=1,
        ),
        Panel(
            "Open connections",
            "none",
            {f"sum by (instance) (web_connections{{{job}}})": "{{instance}}"},
            "A silent connection costs a descriptor, no thread. Many more than requests: a client that does not close.",
            width=6,
            high=10,
        ),
        Panel(
            "Workers",
            "none",
            {f"sum by (instance) (web_workers{{{job}}})": "{{instance}}"},
            "Fewer than WEB_CONCURRENCY: a worker dies as fast as it starts. Its log has the cause.",
            width=6,
            high=2,
        ),
        Panel(
            "Warnings and errors logged",
            "ops",
            {rate("log_lines_total", job, "level"): "{{level}}"},
            "error or critical for long: search the logs for that level. Each line has its trace_id.",
            width=6,
            high=0.1,
        ),
    ]


def outbound(job: str) -> list[Panel]:
    """Return the calls to other services."""
    tries, seconds = "http_client_requests_total", "http_client_request_duration_seconds"
    failed = share(rate(tries, f'{job}, outcome!="success"', "peer"), rate(tries, job, "peer"), "peer")
    return [
        Panel(
            "Attempts by outcome",
            "reqps",
            {rate(tries, job, "peer, outcome"): "{{peer}} {{outcome}}"},
            "timeout: a slow peer. connection_error: a peer that is down. breaker_open: the result of both.",
        ),
        Panel(
            "Failed tries",
            "percentunit",
            {failed: "{{peer}}"},
            "The breaker opens at 50 % of 20 calls in 10 s.",
            high=1,
            exact=True,
            thresholds={0.1: "orange", 0.5: "red"},
        ),
        Panel(
            "Duration of an attempt",
            "s",
            {
                quantile(0.5, seconds, job, "peer"): "{{peer}} p50",
                quantile(0.99, seconds, job, "peer"): "{{peer}} p99",
            },
            "Near 1 s: attempts time out, and orders are retried or refused.",
            high=0.1,
        ),
        Panel(
            "Circuit breaker",
            "none",
            {f"max by (peer) (circuit_breaker_state{{{job}}})": "{{peer}}"},
            "Open: every order is refused immediately. One attempt goes through every 5 s.",
            "state-timeline",
            COLUMNS // 2,
            high=2,
            value_names=BREAKER_STATES,
        ),
        Panel(
            "Retries refused",
            "ops",
            {rate("http_client_retries_refused_total", job, "peer"): "{{peer}}"},
            "Above zero for long: so many calls fail that the retry budget is spent. The peer is down.",
            width=COLUMNS // 2,
            high=0.1,
        ),
    ]


def database(job: str) -> list[Panel]:
    """Return the state of the database."""
    seconds = "django_db_query_duration_seconds"
    return [
        Panel(
            "Statements",
            "ops",
            {rate("django_db_execute_total", job): "statements"},
            "Growing faster than the requests: code queries in a loop.",
            width=6,
        ),
        Panel(
            "Duration of a statement",
            "s",
            {quantile(q, seconds, job): f"p{q * 100:.0f}" for q in (0.5, 0.95, 0.99)},
            "p95 above 0.1 s: slow statements. p99 near 2 s: waits for locks. Near 5 s: statements time out.",
            width=6,
            high=0.1,
            thresholds={0.1: "orange"},
        ),
        Panel(
            "Database errors by type",
            "ops",
            {rate("django_db_errors_total", job, "type"): "{{type}}"},
            "OperationalError: the database is down, or locks and statements time out. IntegrityError: our bug.",
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
            "Failed: the database refuses, or the pool had no free connection for 2 s.",
            width=6,
        ),
        Panel(
            "Connections of the database server",
            "short",
            {
                f"max(database_connections{{{job}}})": "used by all clients",
                f"max(database_connections_limit{{{job}}})": "limit",
            },
            "Used near the limit: the server will refuse all new connections. PostgreSQL only.",
            width=COLUMNS,
        ),
    ]


def process(job: str) -> list[Panel]:
    """Return the resources of the processes."""
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
            "A line that only rises; above 110 MB a worker; near 512 MB, production's limit.",
            high=536_870_912,
            thresholds={429_496_730: "orange"},
        ),
        Panel(
            "File descriptors in use",
            "percentunit",
            {f"process_open_fds{{{job}}} / process_max_fds{{{job}}}": "{{instance}}"},
            "A line that only rises: connections leak. At 100 % no client can connect.",
            high=0.1,
        ),
        Panel(
            "Readiness by probe",
            "none",
            {f"min by (probe) (service_ready{{{job}}})": "{{probe}}"},
            "Not ready: the load balancer skips the replica. migrations: the deploy did not migrate first.",
            "state-timeline",
            COLUMNS,
            high=1,
            value_names=READY,
        ),
    ]


def any_service() -> Dashboard:
    """Return the dashboard with a variable for the service."""
    job = 'job="$service"'
    return Dashboard(
        "service",
        "Service",
        "One service: its requests, dependencies and resources.",
        {
            "Now": now(job),
            "Requests": red(job),
            "Saturation": saturation(job),
            "Database": database(job),
            "Outbound calls (empty for a service without any)": outbound(job),
            "Process": process(job),
        },
        (Variable("service", "argos_build_info", "job"),),
        job,
        {"Traces of ${service}": TRACES.replace("SERVICE", "${service}")},
    )
