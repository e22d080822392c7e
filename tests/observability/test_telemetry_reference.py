"""docs/telemetry.md lists exactly what the running services export and send."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.declared_metrics import SCRIPT, declared_metrics
from tests.observability.eventful_stack import EventfulStack, services_of
from tests.processes import ROOT, clean_environment

PAGE = (ROOT / "docs" / "telemetry.md").read_text()
ONE_WORKER_ONLY = {name for name in declared_metrics() if name.startswith("python_")}
SEVERAL_WORKERS = {"pid"}  # a label that prometheus_client adds to some gauges of several processes


def attributes_of_page() -> set[str]:
    """Return the names in the last column of the table of spans."""
    section = PAGE.split("## Spans")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?!span|---).*\| ([^|]*) \|$", section, flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}


def test_the_page_is_what_the_script_writes() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_services_export_what_is_listed_and_nothing_else(eventful: EventfulStack) -> None:
    for job, service in services_of(eventful.stack).items():
        name, exported = job.removesuffix("-service"), {}
        for family in text_string_to_metric_families(requests.get(f"{service.url}/metrics", timeout=10).text):
            full = f"{family.name}_total" if family.type == "counter" else family.name
            exported[full] = (family.type, {label for sample in family.samples for label in sample.labels})

        listed = {full: metric for full, metric in declared_metrics().items() if name in metric["of"]}
        left_out = ONE_WORKER_ONLY if service.env.get("WEB_CONCURRENCY") == "2" else set()
        # With several workers a metric without a series is missing from the files, and so from the answer.
        unseen = {full for full in listed if full not in exported} - left_out
        assert exported.keys() <= listed.keys()
        assert not unseen or left_out, unseen
        for full, (kind, labels) in exported.items():
            assert kind == listed[full]["type"], full
            assert labels - {"le"} - SEVERAL_WORKERS <= set(listed[full]["labels"]), full


def test_the_commands_publish_what_is_listed(eventful: EventfulStack) -> None:
    listed = {name for name, metric in declared_metrics().items() if metric["of"] == ["commands"]}

    found = eventful.range('{job="pushgateway", command!="", alertname=""}')
    assert {series["metric"]["__name__"] for series in found} == listed


def test_the_loops_serve_what_is_listed_and_what_the_services_count(eventful: EventfulStack) -> None:
    listed = declared_metrics()
    served = set()
    for loop in eventful.loops.values():
        for family in text_string_to_metric_families(requests.get(f"http://{loop.address}/metrics", timeout=10).text):
            full = f"{family.name}_total" if family.type == "counter" else family.name
            assert full in listed, full
            served.add(full)

    assert {full for full, metric in listed.items() if metric["of"] == ["loops"]} <= served
    assert {"http_client_requests_total", "orders_created_total", "process_resident_memory_bytes"} <= served
    assert "outbox_events_pending" not in served  # read from the database, by the web process alone


def test_every_metric_has_a_unit_and_a_meaning() -> None:
    for name, metric in declared_metrics().items():
        assert metric["unit"], name
        assert len(metric["meaning"]) > 10, name


def test_spans_have_the_attributes_that_are_listed_and_no_others(eventful: EventfulStack) -> None:
    sent = {name for span in eventful.collector.spans for name in span.attributes}

    assert sent <= attributes_of_page()
    only_postgresql = set() if os.environ.get("TEST_DATABASE_URL") else {"db.namespace"}
    assert attributes_of_page() - sent <= only_postgresql


def test_saturation_is_that_of_all_workers(eventful: EventfulStack) -> None:
    assert eventful.prometheus.value('web_workers{job="products-service"}') == 2
    assert eventful.prometheus.value('web_threads{job="products-service"}') == 8
    assert eventful.prometheus.value('web_workers{job="orders-service"}') == 1
    for job in services_of(eventful.stack):
        assert (eventful.prometheus.value(f'web_queue_seconds_total{{job="{job}"}}') or 0) > 0
        assert (eventful.prometheus.value(f'log_lines_total{{job="{job}", level="warning"}}') or 0) > 0
