"""The shipped files of Prometheus, Alertmanager and Jaeger agree with one another and with the compose file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from orders_project.orders.smoke.checks import KEEP  # of the shop
from prometheus import make_slo_rules
from prometheus.alert_series import ALERTS
from prometheus.alert_tests import CASES, cases
from tests.containers import compose
from tests.observability.prometheus_server import shipped_rule_files
from tests.processes import ROOT

SERVICES = compose("docker-compose.yml")["services"]
RULES: list[dict[str, Any]] = [
    rule
    for path in shipped_rule_files()
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
OF_ARGOS = next(name for name in SERVICES if name.endswith("-service"))
ALERT_RULES = [rule for rule in RULES if "alert" in rule]


def test_the_rules_of_the_objectives_are_what_the_script_makes() -> None:
    assert make_slo_rules.RULES.read_text() == make_slo_rules.document()


def test_every_alert_is_tested_in_all_five_cases() -> None:
    shipped = Counter((rule["alert"], rule["labels"]["severity"], rule["labels"].get("window")) for rule in ALERT_RULES)
    tested = Counter((alert.name, alert.severity, alert.labels.get("window")) for alert in ALERTS)

    assert set(shipped) == set(tested)
    assert all(tested[name] >= count for name, count in shipped.items())
    for alert in ALERTS:
        assert {case.split(",")[0] for case in cases(alert)} == set(CASES)
        assert all(expectations for _, expectations in cases(alert).values())


@pytest.mark.parametrize("objective", make_slo_rules.OBJECTIVES, ids=lambda objective: str(objective.slo))
def test_every_burn_alert_is_tested_on_every_objective(objective: make_slo_rules.Objective) -> None:
    tested = {alert.labels["window"] for alert in ALERTS if alert.labels.get("slo") == objective.slo}

    assert tested == {"1h/5m", "6h/30m", "1d/2h", "3d/6h"}


@pytest.mark.parametrize("rule", ALERT_RULES, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_says_whom_it_is_for_and_what_users_feel(rule: dict[str, Any]) -> None:
    runbook = f"{{{{ $externalURL }}}}/user/runbooks/{rule['alert']}.md"

    assert rule["labels"]["severity"] in ("critical", "warning")
    assert "service" in rule["labels"] or "slo" in rule["expr"]  # its series have the label
    assert rule["labels"]["runbook_url"] == rule["annotations"]["runbook_url"] == runbook
    assert rule["annotations"]["summary"].endswith(".")
    assert ":" in rule["annotations"]["summary"]


def test_recorded_names_say_level_metric_and_operation() -> None:
    names = [rule["record"] for rule in RULES if "record" in rule]

    assert [name for name in names if name.count(":") != 2] == []


def test_the_buckets_lie_on_the_objectives() -> None:
    from ops.telemetry.metrics import CALL_BUCKETS, DURATION_BUCKETS

    buckets = {
        "http_request_duration_seconds": DURATION_BUCKETS,
        "http_client_request_duration_seconds": CALL_BUCKETS,
    }
    for objective in make_slo_rules.OBJECTIVES:
        if objective.within:
            assert float(objective.within) in buckets[objective.histogram], objective.slo
    assert 0.5 in DURATION_BUCKETS


def scraped(job: dict[str, Any]) -> list[str]:
    """Return host and port of each target; a name stands for all replicas behind it."""
    if found := job.get("static_configs"):
        return [str(target) for target in found[0]["targets"]]
    return [f"{name}:{found['port']}" for found in job["dns_sd_configs"] for name in found["names"]]


def test_the_stack_mounts_what_the_alerts_lead_to() -> None:
    prometheus = SERVICES["prometheus"]

    assert "--web.user-assets=/docs" in prometheus["command"]
    assert "./docs:/docs:ro" in prometheus["volumes"]
    assert "./prometheus/rules:/etc/prometheus/prometheus/rules:ro" in prometheus["volumes"]
    for job in yaml.safe_load((ROOT / "prometheus.yml").read_text())["scrape_configs"]:
        host = scraped(job)[0].split(":")[0]
        assert host == "localhost" or host in SERVICES


def jaeger() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "jaeger" / "config.yaml").read_text())
    return document


def test_every_part_of_jaegers_pipelines_is_configured() -> None:
    config = jaeger()
    ends = {
        "receivers": ("receivers", "connectors"),
        "processors": ("processors",),
        "exporters": ("exporters", "connectors"),
    }

    for name, pipeline in config["service"]["pipelines"].items():
        for role, sections in ends.items():
            known = {part for section in sections for part in config[section]}
            assert set(pipeline.get(role, [])) <= known, name
    assert set(config["service"]["extensions"]) == set(config["extensions"])
    backends = config["extensions"]["jaeger_storage"]
    storage = config["extensions"]["jaeger_query"]["storage"]
    assert storage["traces"] in backends["backends"]
    assert storage["metrics"] in backends["metric_backends"]
    assert config["exporters"]["jaeger_storage_exporter"]["trace_storage"] in backends["backends"]


def test_jaeger_always_keeps_errors_and_slow_traces_and_by_default_all() -> None:
    tail = jaeger()["processors"]["tail_sampling"]
    policies = {policy["type"]: policy for policy in tail["policies"]}

    assert policies["status_code"]["status_code"]["status_codes"] == ["ERROR"]
    assert policies["latency"]["latency"]["threshold_ms"] == 300
    assert policies["probabilistic"]["probabilistic"]["sampling_percentage"] == "${env:TRACES_KEPT_PERCENT:-100}"
    assert int(tail["decision_wait"].removesuffix("s")) > 5  # the services' batches take that long


def test_jaeger_keeps_each_trace_that_asks_for_it_as_smoke_does() -> None:  # of the shop
    policies = {policy["type"]: policy for policy in jaeger()["processors"]["tail_sampling"]["policies"]}

    kept = policies["trace_state"]["trace_state"]
    assert KEEP in [f"{kept['key']}={value}" for value in kept["values"]]


def test_jaegers_traces_outlive_it() -> None:
    badger = jaeger()["extensions"]["jaeger_storage"]["backends"]["traces"]["badger"]
    (volume,) = [mount.split(":")[1] for mount in SERVICES["jaeger"]["volumes"] if mount.startswith("jaeger-data:")]

    assert badger["ephemeral"] is False
    assert badger["ttl"] == {"spans": "48h"}
    assert {str(Path(folder).parent) for folder in badger["directories"].values()} == {volume}
    # A new volume is root's, and the image's user is 10001.
    assert SERVICES["jaeger-volume"]["entrypoint"] == ["chown", "10001", volume]
    assert SERVICES["jaeger"]["depends_on"] == {"jaeger-volume": {"condition": "service_completed_successfully"}}


def test_the_documented_ceiling_is_that_of_the_configuration() -> None:
    tail = jaeger()["processors"]["tail_sampling"]
    ceiling = tail["num_traces"] // int(tail["decision_wait"].removesuffix("s"))

    for page in ("docs/runbooks/TracesLost.md", "docs/telemetry.md", "jaeger/config.yaml"):
        assert f"{ceiling:,} traces a second" in (ROOT / page).read_text(), page


def test_jaeger_listens_and_asks_where_the_stack_says() -> None:
    config = jaeger()
    targets = {
        target
        for job in yaml.safe_load((ROOT / "prometheus.yml").read_text())["scrape_configs"]
        for target in scraped(job)
    }
    traces = urlsplit(SERVICES[OF_ARGOS]["environment"]["JAEGER_ENDPOINT"])
    metrics = config["extensions"]["jaeger_storage"]["metric_backends"]["span_metrics"]["prometheus"]["endpoint"]

    assert config["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(f":{traces.port}")
    (reader,) = config["service"]["telemetry"]["metrics"]["readers"]
    assert f"jaeger:{config['exporters']['prometheus']['endpoint'].split(':')[1]}" in targets
    assert f"jaeger:{reader['pull']['exporter']['prometheus']['port']}" in targets
    assert urlsplit(metrics).hostname in SERVICES
    assert SERVICES["jaeger"]["command"] == ["--config=/etc/jaeger/config.yaml"]
    assert "./jaeger:/etc/jaeger:ro" in SERVICES["jaeger"]["volumes"]
