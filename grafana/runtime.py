"""Python, processes and commands."""

from __future__ import annotations

from grafana.panels import INTERVAL, Dashboard, Panel, Variable, rate

JOB = 'job=~"$service"'
COMMANDS = 'service=~"$service"'
BY_COMMAND, COMMAND = "service, command", "{{service}} {{command}}"


def commands() -> list[Panel]:
    """Return last success, duration, runs and last failure of each command."""
    success = f"max by ({BY_COMMAND}) (ops_command_last_success_timestamp_seconds{{{COMMANDS}}})"
    done, failed = (
        f"sum by ({BY_COMMAND}) (changes(ops_command_last_{end}_timestamp_seconds{{{COMMANDS}}}[1d]))"
        for end in ("success", "failure")
    )
    failure = f"max by ({BY_COMMAND}) (ops_command_last_failure_timestamp_seconds{{{COMMANDS}}})"
    return [
        Panel(
            "Time since the last success",
            "s",
            {f"time() - {success}": COMMAND},
            "More than a day for a nightly command, such as backup.",
            "bargauge",
            width=12,
            high=86_400,
            thresholds={90_000: "orange", 180_000: "red"},
        ),
        Panel(
            "Duration of the last run",
            "s",
            {f"max by ({BY_COMMAND}) (ops_command_duration_seconds{{{COMMANDS}}})": COMMAND},
            "Growing from run to run: the data grow, or the command waits.",
            width=12,
            high=1,
        ),
        Panel(
            "Runs in a day by outcome",
            "short",
            {done: f"{COMMAND} done", failed: f"{COMMAND} failed"},
            "failed: see the command's log. Not here: the first run of all, and runs that found the lock held.",
            width=12,
        ),
        Panel(
            "Time since the last failure",
            "s",
            {f"time() - {failure}": COMMAND},
            "Shorter than the time since the last success: its work is not done.",
            "bargauge",
            width=12,
            high=86_400,
        ),
    ]


def python() -> list[Panel]:
    """Return Python's metrics; they exist with one worker only."""
    return [
        Panel(
            "Python",
            "none",
            {f"count by (job, version) (python_info{{{JOB}}})": "{{job}} {{version}}"},
            "Two versions long after a deploy: the deploy is stuck. Empty with several workers.",
            "stat",
            6,
            shows_names=True,
        ),
        Panel(
            "Garbage collections",
            "ops",
            {rate("python_gc_collections_total", JOB, "job, generation"): "{{job}} generation {{generation}}"},
            "Generation 2 more than once a second: cyclic garbage. Empty with several workers.",
            width=9,
            high=1,
        ),
        Panel(
            "Objects that cannot be collected",
            "ops",
            {rate("python_gc_objects_uncollectable_total", JOB, "job"): "{{job}}"},
            "Above zero: a leak. Empty with several workers.",
            width=9,
            high=1,
        ),
    ]


def processes() -> list[Panel]:
    """Return the resources of every process."""
    return [
        Panel(
            "Processor by process",
            "percentunit",
            {f"rate(process_cpu_seconds_total{{{JOB}}}[{INTERVAL}])": "{{job}} {{instance}}"},
            "One replica far above the others: the load is distributed badly.",
            high=1,
        ),
        Panel(
            "Resident memory",
            "bytes",
            {f"process_resident_memory_bytes{{{JOB}}}": "{{job}} {{instance}}"},
            "A line that only rises is a leak; at 512 MB production's limit kills it.",
            high=536_870_912,
            thresholds={429_496_730: "orange"},
        ),
        Panel(
            "Time since the start",
            "s",
            {f"time() - process_start_time_seconds{{{JOB}}}": "{{job}} {{instance}}"},
            "A fall to zero without a deploy: the process crashed or was killed.",
        ),
    ]


def scrapes() -> list[Panel]:
    """Return the cost of telemetry."""
    return [
        Panel(
            "Duration of a scrape",
            "s",
            {f"scrape_duration_seconds{{{JOB}}}": "{{job}} {{instance}}"},
            "Above 1 s: too many series, or a process without a free thread.",
            high=0.1,
        ),
        Panel(
            "Series of a scrape",
            "short",
            {f"scrape_samples_scraped{{{JOB}}}": "{{job}} {{instance}}"},
            "A line that only rises: a label has unbounded values.",
        ),
        Panel(
            "Spans lost",
            "ops",
            {rate("telemetry_spans_dropped_total", JOB, "job"): "{{job}}"},
            "Above zero: the collector is down or slow, and traces are missing or incomplete. Requests are unaffected.",
            high=1,
        ),
    ]


def runtime_and_commands() -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        "runtime",
        "Runtime and commands",
        "The commands' last runs, Python, the processes, and the cost of telemetry.",
        {"Commands": commands(), "Processes": processes(), "Python": python(), "Telemetry itself": scrapes()},
        (Variable("service", "argos_build_info", "job", several=True),),
        JOB,
    )
