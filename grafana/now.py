"""The figures at the top of each service's dashboards."""

from __future__ import annotations

from grafana.panels import INTERVAL, UP_OR_DOWN, Panel, quantile, rate, share, stats


def now(job: str) -> list[Panel]:
    """Return the panels that summarise the state of a service."""
    requests = rate("http_requests_total", job)
    return stats(
        Panel(
            "Up",
            "none",
            {f"min(up{{{job}}})": "all replicas"},
            "Down: Prometheus cannot scrape one of its replicas.",
            value_names=UP_OR_DOWN,
        ),
        Panel("Requests", "reqps", {requests: "requests"}, "A sudden drop: the clients or the network are gone."),
        Panel(
            "Server errors",
            "percentunit",
            {share(rate("http_requests_total", f'{job}, status=~"5.."'), requests): "share of 5xx"},
            "Above zero for long. Empty without requests.",
            high=1,
            thresholds={0.005: "orange", 0.01: "red"},
        ),
        Panel(
            "Slowest 1 %",
            "s",
            {quantile(0.99, "http_request_duration_seconds", job): "p99"},
            "Above 0.3 s: find the route below, then its trace. Empty without requests.",
            thresholds={0.3: "orange", 0.5: "red"},
        ),
        Panel(
            "Threads busy",
            "percentunit",
            {busy(job): "of all threads"},
            "Above 70 %: requests begin to wait for a thread. Add replicas, or find the slow requests.",
            high=1,
            thresholds={0.7: "orange", 0.9: "red"},
        ),
        Panel(
            "Restarts in an hour",
            "none",
            {f"sum(changes(process_start_time_seconds{{{job}}}[1h]))": "restarts"},
            "More than your deploys: the service crashes, or the kernel kills it at its memory limit.",
            thresholds={3: "orange"},
        ),
        Panel(
            "Trouble logged",
            "cpm",
            {f"{rate('log_lines_total', job, 'level')} * 60": "{{level}}"},
            "error: an unhandled exception or a 5xx. warning: mostly a refused request.",
        ),
        Panel(
            "Version",
            "none",
            {f"count by (version) (argos_build_info{{{job}}})": "{{version}}"},
            "Two versions long after a deploy: the deploy is stuck.",
            shows_names=True,
        ),
    )


def busy(job: str) -> str:
    """Return the average share of busy threads: the seconds spent on requests in each second, without their wait."""
    seconds = f"rate(http_request_duration_seconds_sum{{{job}}}[{INTERVAL}])"
    waiting = f"rate(web_queue_seconds_total{{{job}}}[{INTERVAL}])"
    # A wait is counted when it ends, the rest of a request later: for a moment the difference may be below zero.
    return f"clamp_min(sum({seconds}) - sum({waiting}), 0) / sum(web_threads{{{job}}})"
