"""The impact on users on one page: objectives, remaining budgets, orders, dependencies, alerts."""

from __future__ import annotations

from grafana.business import CREATED, JOB, REJECTED, oldest_event, pending_orders  # of the shop
from grafana.calls import who_calls_whom
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
from grafana.service import WHO_CALLS_WHOM
from prometheus.make_slo_rules import OBJECTIVES, Objective

SERVICES = 'job=~".+-service"'
REQUESTS = "http_requests_total"
AVAILABLE, IN_TIME = (
    {made.slo.removesuffix(f"-{kind}"): made for made in OBJECTIVES if made.kind == kind}
    for kind in ("availability", "latency")
)
BUDGETS = [(made.slo.removesuffix(f"-{made.kind}"), made.kind) for made in OBJECTIVES]
BURN, LEFT = "slo:error_budget_burn:ratio_rate", "slo:error_budget_remaining:ratio"
WINDOWS = ("5m", "1h", "6h", "3d")


def objectives() -> list[Panel]:
    """Return how well the objectives are met."""
    kept = [
        Panel(
            f"Available: {name}",
            "percentunit",
            {kept_share(made): "of 28 days"},
            f"Below {made.target * 100:g} % the objective is missed: no risky release until it recovers. "
            "Empty without requests.",
            low=0.99,
            high=1,
            thresholds={made.target: "green"},
        )
        for name, made in AVAILABLE.items()
    ]
    kept += [in_time(name, made) for name, made in IN_TIME.items()]
    left = [
        Panel(
            f"Budget left: {name}, {kind}",
            "percentunit",
            {f'{LEFT}{{slo="{name}-{kind}"}}': "of 28 days"},
            "Below zero it is overspent. Falling fast: see the burn rate below.",
            low=None,
            high=1,
            thresholds={0: "orange", 0.25: "green"},
        )
        for name, kind in BUDGETS
    ]
    return stats(*kept) + stats(*left)


def in_time(name: str, made: Objective) -> Panel:
    """Return the share of requests within their limit."""
    bound = f"{float(made.within) * 1000:g} ms"
    return Panel(
        f"In time: {name}",
        "percentunit",
        {kept_share(made): f"within {bound}"},
        f"Below {made.target * 100:g} %: too many requests take longer than {bound}. Empty without requests.",
        low=0.9,
        high=1,
        thresholds={made.target: "green"},
    )


def kept_share(made: Objective) -> str:
    """Return the share of good requests in 28 days."""
    return f'1 - {BURN}28d{{slo="{made.slo}"}} * {round(1 - made.target, 6)}'


def burn() -> list[Panel]:
    """Return the burn rates of the budgets."""
    return [
        Panel(
            f"Burn: {name}, {kind}",
            "none",
            {f'{BURN}{window}{{slo="{name}-{kind}"}}': window for window in WINDOWS},
            "1 uses up the budget in exactly 28 days. 14.4 over an hour pages: the budget would last two days.",
            width=8,
            high=2,
            thresholds={1: "orange", 14.4: "red"},
        )
        for name, kind in BUDGETS
    ]


def users() -> list[Panel]:
    """Return the impact on users now."""
    limits = ", ".join(f"{name} above {made.within} s" for name, made in IN_TIME.items())
    return [
        Panel(  # of the shop
            "Orders a minute",
            "cpm",
            {
                f"{rate(CREATED, JOB)} * 60": "placed",
                f"{rate(REJECTED, JOB, 'reason')} * 60": "{{reason}}",
            },
            "Orders fall to zero, or products_unavailable rises: customers are refused.",
        ),
        Panel(
            "Failing requests",
            "percentunit",
            {
                share(rate(REQUESTS, f'{made.requests}, status=~"5.."'), rate(REQUESTS, made.requests)): name
                for name, made in AVAILABLE.items()
            },
            "Above 0.1 % for long: this spends the budget.",
            high=0.01,
            thresholds={0.005: "orange", 0.01: "red"},
        ),
        Panel(
            "Slowest 1 %",
            "s",
            {quantile(0.99, made.histogram, made.requests): name for name, made in IN_TIME.items()},
            f"Too slow: {limits}. A dot is one request; click it for its trace.",
            high=0.3,
            exemplars=True,
        ),
    ]


def edge() -> list[Panel]:
    """Return the gateway's own answers, which no service sees."""
    counter, job = "gateway_requests_total", 'job="gateway"'
    every = rate(counter, job)
    return [
        Panel(
            "Answers of the gateway",
            "reqps",
            {rate(counter, job, "status, answered_by"): "{{status}} of {{answered_by}}"},
            "502, 503 or 504 of the gateway: no service answered. 429: clients are over a limit.",
        ),
        Panel(
            "The gateway's own errors",
            "percentunit",
            {share(rate(counter, f'{job}, status=~"5..", answered_by="gateway"'), every): "share of 5xx"},
            "Above 0.5 % for long: replicas are gone or too slow. The runbook is GatewayErrors.",
            high=0.01,
            thresholds={0.005: "orange", 0.01: "red"},
        ),
        Panel(
            "Refused clients",
            "percentunit",
            {share(rate(counter, f'{job}, status="429", answered_by="gateway"'), every): "share of 429"},
            "Above 5 % for long: clients are over a limit. The runbook is GatewayRefusesClients.",
            high=0.1,
            thresholds={0.05: "orange"},
        ),
    ]


def dependencies() -> list[Panel]:
    """Return the dependencies and their failures."""
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
            "Down: Prometheus cannot scrape a replica. The services that call it fail as well; see the breakers.",
            "state-timeline",
            high=1,
            value_names=UP_OR_DOWN,
        ),
        Panel(
            "Circuit breakers",
            "none",
            {f"max by (job, peer) (circuit_breaker_state{{{SERVICES}}})": "{{job}} to {{peer}}"},
            "Open: requests that need the peer are refused immediately, as half of the calls to it failed.",
            "state-timeline",
            high=2,
            value_names=BREAKER_STATES,
        ),
        Panel(
            "Failed calls and statements",
            "percentunit",
            {failed: "{{job}} to {{peer}}", errors: "{{job}} to its database"},
            "The line that rises first is the cause; the others follow.",
            high=0.1,
        ),
        pending_orders(12),  # of the shop
        oldest_event(12),  # of the shop
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
            "A row for each firing alert; its runbook has the same name. Normally empty.",
            "state-timeline",
            COLUMNS - 8,
            high=1,
            value_names=FIRING,
        ),
        Panel(
            "Versions",
            "none",
            {f"count by (job, version) (argos_build_info{{{SERVICES}}})": "{{job}} {{version}}"},
            "Two versions of a service long after a deploy: the deploy is stuck.",
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
        "The impact on users, and where to look next.",
        {
            "Objectives over 28 days": objectives(),
            "Alerts": alerts(),
            "Impact on users": users(),
            "Gateway": edge(),
            "Dependencies": dependencies(),
            "Who calls whom": who_calls_whom(),
            "Burn rate": burn(),
        },
        links={"Who calls whom": WHO_CALLS_WHOM},
    )
