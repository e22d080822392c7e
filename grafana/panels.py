"""What the dashboards show, and what trouble looks like in it; make_dashboards.py turns it into Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass

INTERVAL = "$__rate_interval"  # Grafana puts at least four scrape intervals here
COLUMNS = 24  # of Grafana's grid

UP_OR_DOWN = {0: ("down", "red"), 1: ("up", "green")}
BREAKER_STATES = {0: ("closed", "green"), 1: ("half open", "orange"), 2: ("open", "red")}


@dataclass(frozen=True)
class Panel:
    """One panel: `queries` maps each expression to its legend, `bad` says what trouble looks like."""

    title: str
    unit: str
    queries: dict[str, str]
    bad: str
    kind: str = "timeseries"
    width: int = 8
    value_names: dict[int, tuple[str, str]] | None = None  # each value's name and colour


Rows = dict[str, list[Panel]]


def rate(metric: str, selector: str, by: str = "") -> str:
    """Return a counter's rate a second, summed."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}{{{selector}}}[{INTERVAL}]))"


def quantile(q: float, histogram: str, selector: str, by: str = "") -> str:
    """Return a quantile of a histogram."""
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', selector, f'{by}, le' if by else 'le')})"


def overview(job: str) -> list[Panel]:
    """Return the panels that say at a glance whether all is well."""
    requests = rate("http_requests_total", job)
    errors = rate("http_requests_total", f'{job}, status=~"5.."')
    panels = [
        Panel(
            "Up", "none", {f"up{{{job}}}": "{{instance}}"}, "Down: Prometheus cannot scrape it.", value_names=UP_OR_DOWN
        ),
        Panel("Requests", "reqps", {requests: "requests"}, "A sudden drop: the callers, or the way here, are gone."),
        Panel(
            "Server errors",
            "percentunit",
            {f"({errors} or vector(0)) / ({requests} > 0)": "share of 5xx"},
            "Anything above zero that stays. Empty while nobody calls.",
        ),
        Panel(
            "Slowest 1 %",
            "s",
            {quantile(0.99, "http_request_duration_seconds", job): "p99"},
            "Above 0.5 s: look for the route below, then for its trace. Empty while nobody calls.",
        ),
        Panel(
            "Restarts in an hour",
            "none",
            {f"sum(changes(process_start_time_seconds{{{job}}}[1h]))": "restarts"},
            "More than the deploys you know of: it crashes, or is killed at its memory limit.",
        ),
        Panel(
            "Version",
            "none",
            {f"count by (version) (argos_build_info{{{job}}})": "{{version}}"},
            "Two versions long after a deploy: it is stuck half way.",
        ),
    ]
    return [Panel(p.title, p.unit, p.queries, p.bad, "stat", 4, p.value_names) for p in panels]


def red(job: str) -> list[Panel]:
    """Return rate, errors and duration by route."""
    by_route, legend = "method, route", "{{method}} {{route}}"
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
            {
                rate(
                    "http_requests_total", f'{job}, status=~"[45].."', f"{by_route}, status"
                ): f"{legend} {{{{status}}}}"
            },
            "5xx is ours: any that stays. 4xx is the caller's: a jump after a deploy means that we broke a contract.",
        ),
        Panel(
            "Median duration by route",
            "s",
            {quantile(0.5, "http_request_duration_seconds", job, by_route): legend},
            "A step up: everybody is slower; compare with the database and the processor below.",
        ),
        Panel(
            "Slowest 1 % by route",
            "s",
            {quantile(0.99, "http_request_duration_seconds", job, by_route): legend},
            "Far above the median: locks, retries or a full pool. A dot is one request: it leads to its trace.",
            width=COLUMNS,
        ),
    ]


def dependencies(job: str) -> list[Panel]:
    """Return what the calls to other services come to."""
    tries = "http_client_requests_total"
    every, failed = rate(tries, job, "peer"), rate(tries, f'{job}, outcome!="success"', "peer")
    seconds = "http_client_request_duration_seconds"
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
            {f"({failed} or {every} * 0) / {every}": "{{peer}}"},
            "At 50 % of 20 calls in 10 s the breaker opens.",
        ),
        Panel(
            "Duration of a try",
            "s",
            {
                quantile(0.5, seconds, job, "peer"): "{{peer}} p50",
                quantile(0.99, seconds, job, "peer"): "{{peer}} p99",
            },
            "Near 1 s: tries run into their timeout, and orders are retried or refused.",
        ),
        Panel(
            "Circuit breaker",
            "none",
            {f"max by (peer) (circuit_breaker_state{{{job}}})": "{{peer}}"},
            "Open: every order is refused at once. It lets one trial through every 5 s.",
            "state-timeline",
            COLUMNS,
            BREAKER_STATES,
        ),
    ]


def orders_business(job: str) -> list[Panel]:
    """Return what orders is there for."""
    return [
        Panel(
            "Orders placed",
            "cpm",
            {f"{rate('orders_created_total', job)} * 60": "orders"},
            "Zero at a time of day when there are always some.",
            width=12,
        ),
        Panel(
            "Orders rejected",
            "cpm",
            {f"{rate('orders_rejected_total', job, 'reason')} * 60": "{{reason}}"},
            "products_unavailable: customers are turned away. product_does_not_exist: a caller's catalogue is stale.",
            width=12,
        ),
    ]


def products_business(job: str) -> list[Panel]:
    """Return what products is there for."""
    return [
        Panel(
            "Lookups of one product",
            "reqps",
            {rate("products_lookups_total", job, "outcome"): "{{outcome}}"},
            "not_found above a few per cent: products are missing, or a caller's catalogue is stale.",
            width=COLUMNS,
        )
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
            {quantile(0.5, seconds, job): "p50", quantile(0.99, seconds, job): "p99"},
            "p99 near 2 s: waits for locks. Near 5 s: statements run into their timeout.",
            width=6,
        ),
        Panel(
            "Errors by type",
            "ops",
            {rate("django_db_errors_total", job, "type"): "{{type}}"},
            "OperationalError: the database is gone, or its locks and timeouts bite. IntegrityError: a bug of ours.",
            width=6,
        ),
        Panel(
            "Connections",
            "ops",
            {
                rate("django_db_new_connections_total", job): "taken from the pool",
                rate("django_db_new_connection_errors_total", job): "failed",
            },
            "Failed: the database refuses, or no connection of the pool was free within 2 s.",
            width=6,
        ),
    ]


def runtime(job: str) -> list[Panel]:
    """Return what the processes use."""
    return [
        Panel(
            "Processor",
            "percentunit",
            {f"rate(process_cpu_seconds_total{{{job}}}[{INTERVAL}])": "{{instance}}"},
            "Near 100 % for each worker process: one process cannot use more. Add replicas.",
        ),
        Panel(
            "Memory",
            "bytes",
            {f"process_resident_memory_bytes{{{job}}}": "{{instance}}"},
            "A line that only rises; above 110 MB a worker; near 512 MB, where production's limit kills it.",
        ),
        Panel(
            "File descriptors in use",
            "percentunit",
            {f"process_open_fds{{{job}}} / process_max_fds{{{job}}}": "{{instance}}"},
            "A line that only rises: connections leak. At 100 % nobody can connect.",
        ),
    ]


def dashboards() -> dict[str, Rows]:
    """Return the rows of each service's dashboard."""
    orders, products = 'job="orders-service"', 'job="products-service"'
    return {
        "orders-service": {
            "Now": overview(orders),
            "Requests": red(orders),
            "Dependencies: products": dependencies(orders),
            "Business": orders_business(orders),
            "Dependencies: database": database(orders),
            "Runtime": runtime(orders),
        },
        "products-service": {
            "Now": overview(products),
            "Requests": red(products),
            "Business": products_business(products),
            "Dependencies: database": database(products),
            "Runtime": runtime(products),
        },
    }
