"""The overlays of kubernetes/ are valid and hardened, and agree with compose, the rules, the routes and the server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped] # it has no types
import pytest
import yaml

from kubernetes.make_prometheus_rule import LEFT_OUT, WRITTEN, document
from tests.containers import Dockerfile, compose
from tests.declared_metrics import declared_metrics
from tests.kustomized import OVERLAYS, Document, Overlay, Pod, overlay
from tests.processes import PROJECTS, ROOT
from tests.test_compose_files import GRACEFUL_TIMEOUT, LAST_SPANS

COMPOSE = compose("docker-compose.yml")["services"]
SERVICES = [project.removesuffix("_project") for project in PROJECTS]
WEB = {f"{service}-service": int(Dockerfile(f"{service}_project").environment()["PORT"]) for service in SERVICES}
LOOPS_OF = {"products": {"consumer"}, "orders": {"recovery", "relay"}}  # others have one with their name
OWNERS = {loop: name for name in SERVICES for loop in LOOPS_OF.get(name, {f"{name}-consumer"})}
LOOPS = {loop: {"recovery": "orders-recovery"}.get(loop, loop) for loop in OWNERS}  # and their names in compose
MIGRATIONS = {f"{service}-migrate" for service in SERVICES}
NIGHTLY = {f"{service}-nightly" for service in SERVICES}
SEEDS: set[str] = set()
SEEDS.add("products-seed")  # of the shop
DATABASES = {f"{service}-db" for service in SERVICES}
OF_OPERATORS = {"HTTPRoute", "PodMonitor", "PrometheusRule"}
KUBERNETES = "1.37"
every_overlay = pytest.mark.parametrize("name", OVERLAYS)
in_the_cluster = pytest.mark.parametrize("name", ["staging", "production"])


@every_overlay
def test_every_object_is_valid_and_has_no_unknown_field(name: str) -> None:
    found = overlay(name)

    for each in found.objects:
        if each["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)
    assert {each["kind"] for each in found.objects} >= {"Deployment", "NetworkPolicy", "Secret", "PodDisruptionBudget"}
    assert bool({each["kind"] for each in found.objects} & OF_OPERATORS) == (name != "development")


@every_overlay
def test_every_workload_of_compose_runs(name: str) -> None:
    servers = {*DATABASES, "rabbitmq", *SEEDS} if name == "development" else set()

    assert set(overlay(name).pods()) == {*WEB, *LOOPS, *MIGRATIONS, *NIGHTLY, *servers}


@every_overlay
def test_every_pod_keeps_the_restricted_standard_and_has_no_token(name: str) -> None:
    (namespace,) = overlay(name).all("Namespace")

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in overlay(name).pods().values():
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["enableServiceLinks"] is False
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["runAsUser"] > 0
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod.spec["containers"], *pod.spec.get("initContainers", ())):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)
        assert {"hostPath"}.isdisjoint(key for volume in pod.spec.get("volumes", ()) for key in volume)
    assert [account["automountServiceAccountToken"] for account in overlay(name).all("ServiceAccount")] == [
        False
    ] * len(SERVICES)


@every_overlay
def test_a_pod_has_the_memory_and_the_command_of_its_container_in_compose(name: str) -> None:
    pods = overlay(name).pods()

    for pod in pods.values():
        of_compose = COMPOSE[LOOPS.get(pod.name, pod.name)]
        limit = of_compose["deploy"]["resources"]["limits"]["memory"]
        assert pod.container["resources"]["limits"]["memory"] == f"{limit}i", pod.name
        if pod.name in LOOPS:
            assert pod.container["command"] == of_compose["command"]
        if pod.name in NIGHTLY:
            once = ["--once" if word.startswith("--at=") else word for word in of_compose["command"]]
            assert pod.container["command"] == once


def test_the_servers_of_development_have_the_variables_and_the_scripts_of_compose() -> None:
    pods = overlay("development").pods()

    for name, volume, place in (
        ("products-db", "roles", "postgresql/make-roles.sh"),
        ("orders-db", "roles", "postgresql/make-roles.sh"),
        ("rabbitmq", "start", "rabbitmq/start"),
    ):
        container, of_compose = pods[name].container, COMPOSE[name]
        script = ROOT / place
        assert {each["name"]: each["value"] for each in container["env"]} == of_compose["environment"]
        assert overlay("development").files(pods[name], volume) == {script.name: script.read_text()}
        (mounted,) = [each["mountPath"] for each in container["volumeMounts"] if each["name"] == volume]
        assert f"./{place}:{mounted}/{script.name}:ro" in of_compose["volumes"] or (
            f"./{script.parent.name}:{mounted}:ro" in of_compose["volumes"]
        )
    assert pods["rabbitmq"].container["command"] == COMPOSE["rabbitmq"]["entrypoint"] + COMPOSE["rabbitmq"]["command"]


@every_overlay
def test_every_image_is_that_of_its_container_in_compose(name: str) -> None:
    for pod in overlay(name).pods().values():
        image = COMPOSE[LOOPS.get(pod.name, pod.name)]["image"]
        repository = re.escape(image.removeprefix("argos/").removesuffix(":dev"))
        wanted = (
            re.escape(image) if name == "development" else rf"[\w./-]+/{repository}(:v[\d.]+|@sha256:[0-9a-f]{{64}})"
        )
        for container in (*pod.spec["containers"], *pod.spec.get("initContainers", ())):
            assert re.fullmatch(wanted, container["image"]), container["image"]


@every_overlay
def test_a_web_service_has_the_probes_that_it_answers_and_time_to_drain(name: str) -> None:
    for service, port in WEB.items():
        pod = overlay(name).pods()[service]
        probes = {kind: pod.container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        pause = pod.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        delay = float(overlay(name).config_map(pod.container).get("SHUTDOWN_DELAY", 0))

        assert probes == {
            "startup": {"path": "/healthz", "port": "http"},
            "liveness": {"path": "/healthz", "port": "http"},
            "readiness": {"path": "/readyz", "port": "http"},
        }
        assert pod.container["ports"] == [{"name": "http", "containerPort": port}]
        assert pause >= 2 * pod.container["readinessProbe"]["periodSeconds"]
        assert pod.spec["terminationGracePeriodSeconds"] > pause + delay + GRACEFUL_TIMEOUT + LAST_SPANS


@every_overlay
def test_a_loop_waits_for_the_migrations_and_is_watched_by_its_heartbeat(name: str) -> None:
    pods = overlay(name).pods()

    for loop, of_compose in LOOPS.items():
        (wait,) = pods[loop].spec["initContainers"]
        assert wait["command"][1:] == [
            pods[loop].container["command"][1],
            "wait_for",
            "--migrations",
            "--timeout",
            "300",
        ]
        assert wait["image"] == pods[loop].container["image"]
        assert (
            pods[loop].container["livenessProbe"]["exec"]["command"] == COMPOSE[of_compose]["healthcheck"]["test"][1:]
        )
        assert pods[loop].spec["terminationGracePeriodSeconds"] == 30


@every_overlay
def test_a_service_leads_to_its_pods_and_a_budget_keeps_them(name: str) -> None:
    found = overlay(name)

    for service, port in WEB.items():
        selector = {"app.kubernetes.io/name": service}
        assert found.one("Service", service)["spec"]["selector"] == selector
        assert found.one("Service", service)["spec"]["ports"] == [{"name": "http", "port": port, "targetPort": "http"}]
        assert found.one("PodDisruptionBudget", service)["spec"] == {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selector},
        }
        strategy = found.one("Deployment", service)["spec"]["strategy"]
        assert strategy["rollingUpdate"]["maxUnavailable"] == 0
        assert "replicas" not in found.one("Deployment", service)["spec"]  # the autoscaler's


def chooses(selector: Document, pod: Pod) -> bool:
    """Tell whether a label selector chooses this pod."""
    expressions = selector.get("matchExpressions", ())
    return all(pod.labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        each["operator"] == "In" and pod.labels.get(each["key"]) in each["values"] for each in expressions
    )


def ways(found: Overlay, direction: str, pod: Pod, peer: Pod) -> set[Any]:
    """Return the ports that some policy of this pod opens to or from that peer."""
    policies = [each["spec"] for each in found.all("NetworkPolicy") if chooses(each["spec"]["podSelector"], pod)]
    assert any(direction in policy["policyTypes"] for policy in policies), f"{pod.name} is open"
    side = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}[direction]
    return {
        port["port"]
        for policy in policies
        for rule in policy.get(side[0], ())
        if any("podSelector" in other and chooses(other["podSelector"], peer) for other in rule[side[1]])
        for port in rule["ports"]
    }


def arrows(found: Overlay) -> Iterator[tuple[str, str]]:
    """Yield each pair of pods of which the first may connect to the second: both policies must agree."""
    pods = found.pods().values()
    for pod in pods:
        for peer in pods:
            named = {
                port.get("name", port["containerPort"]): port["containerPort"]
                for port in peer.container.get("ports", ())
            }
            let_in = {named.get(port, port) for port in ways(found, "Ingress", peer, pod)}
            if ways(found, "Egress", pod, peer) & let_in:
                yield pod.name, peer.name


def test_pods_reach_one_another_only_along_the_arrows_of_the_architecture() -> None:
    pods = {service: {f"{service}-{part}" for part in ("service", "migrate", "nightly")} for service in SERVICES}
    for loop, service in OWNERS.items():
        pods[service].add(loop)
    for seed in SEEDS:
        pods[seed.partition("-")[0]].add(seed)

    assert set(arrows(overlay("development"))) == {
        ("orders-service", "products-service"),  # of the shop
        ("recovery", "products-service"),  # of the shop
        *((pod, "rabbitmq") for pod in {*WEB, *LOOPS} - {"recovery"}),
        *((pod, f"{service}-db") for service in SERVICES for pod in pods[service]),
    }


@in_the_cluster
def test_servers_outside_are_reached_by_the_same_pods_in_their_network_alone(name: str) -> None:
    for policy in (*(f"{service}-to-database" for service in SERVICES), "events-to-broker"):
        of_development = overlay("development").one("NetworkPolicy", policy)["spec"]
        spec = overlay(name).one("NetworkPolicy", policy)["spec"]

        assert spec["podSelector"] == of_development["podSelector"]
        (rule,) = spec["egress"]
        assert {kind for peer in rule["to"] for kind in peer} == {"ipBlock"}
        assert "0.0.0.0/0" not in {peer["ipBlock"]["cidr"] for peer in rule["to"]}
        assert rule["ports"] == of_development["egress"][0]["ports"]


@in_the_cluster
def test_the_route_opens_the_paths_that_the_gateway_of_compose_opens(name: str) -> None:
    spec = overlay(name).one("HTTPRoute", "argos")["spec"]
    paths = {
        rule["matches"][0]["path"]["value"]: (rule["backendRefs"][0]["name"], rule["backendRefs"][0]["port"])
        for rule in spec["rules"]
    }
    opened = re.findall(r"\^\(/api/v1\)\?(/\w+).* \$(\w+);", (ROOT / "gateway/routes.conf").read_text())

    assert paths == {
        f"{version}{path}": (f"{service}-service", WEB[f"{service}-service"])
        for path, service in opened
        for version in ("", "/api/v1")
    }
    for service in WEB:
        hosts = overlay(name).config_map(overlay(name).pods()[service].container)["ALLOWED_HOSTS"].split(",")
        assert {*spec["hostnames"], service} == set(hosts)


@in_the_cluster
def test_prometheus_finds_every_pod_that_serves_metrics_under_the_name_of_its_job(name: str) -> None:
    spec = overlay(name).one("PodMonitor", "argos")["spec"]
    ports = {endpoint["port"] for endpoint in spec["podMetricsEndpoints"]}
    scraped = {
        pod.name
        for pod in overlay(name).pods().values()
        if chooses(spec["selector"], pod) and ports & {port["name"] for port in pod.container.get("ports", ())}
    }
    jobs = {job["job_name"] for job in yaml.safe_load((ROOT / "prometheus.yml").read_text())["scrape_configs"]}

    assert scraped == {*WEB, *LOOPS}
    assert scraped <= jobs
    assert spec["jobLabel"] == "app.kubernetes.io/name"
    for loop in LOOPS:
        container = overlay(name).pods()[loop].container
        port = int(overlay(name).config_map(container)["WORKER_METRICS_PORT"])
        assert container["ports"] == [{"name": "metrics", "containerPort": port}]


def parses(rules: Document, folder: Path) -> bool:
    """Tell whether promtool accepts these groups of rules; skip without it. CI, which has RabbitMQ, must have it."""
    if not shutil.which("promtool") and not os.environ.get("TEST_AMQP_URL"):
        pytest.skip("promtool is missing; on Debian: apt-get install prometheus")
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    done = subprocess.run(["promtool", "check", "rules", folder / "rules.yml"], capture_output=True, check=False)
    return done.returncode == 0


def test_the_prometheus_rule_has_the_rules_of_the_stack_and_is_current(tmp_path: Path) -> None:
    assert WRITTEN.read_text() == document(), "run python -m kubernetes.make_prometheus_rule"
    spec = yaml.safe_load(WRITTEN.read_text())["spec"]
    files = [yaml.safe_load(file.read_text()) for file in (ROOT / "prometheus/rules").glob("*.yml")]
    every = [rule["expr"] for file in files for group in file["groups"] for rule in group["rules"]]
    written = [rule["expr"] for group in spec["groups"] for rule in group["rules"]]

    assert sorted(written) == sorted(expression for expression in every if expression not in LEFT_OUT)
    assert len(every) == len(written) + len(LEFT_OUT)
    for name in re.findall(r"/runbooks/(\w+\.md)", WRITTEN.read_text()):
        assert (ROOT / "docs/runbooks" / name).exists()
    assert parses(spec, tmp_path)


@in_the_cluster
def test_replicas_follow_metrics_that_the_adapter_makes_of_those_of_the_server(name: str, tmp_path: Path) -> None:
    rules = yaml.safe_load((ROOT / "kubernetes/prometheus-adapter.yaml").read_text())["rules"]
    queries = {rule["name"]["as"]: rule["metricsQuery"] for rule in rules}
    filled = [
        {
            "record": made,
            "expr": query.replace("<<.LabelMatchers>>", 'namespace="argos",pod=~"a|b"').replace("<<.GroupBy>>", "pod"),
        }
        for made, query in queries.items()
    ]

    read = {metric for query in queries.values() for metric in re.findall(r"(\w+)\{", query)}
    assert {metric.removesuffix("_sum") for metric in read} <= set(declared_metrics())
    for service in WEB:
        spec = overlay(name).one("HorizontalPodAutoscaler", service)["spec"]
        assert {metric["pods"]["metric"]["name"] for metric in spec["metrics"]} == set(queries)
        assert spec["scaleTargetRef"]["name"] == service
        assert spec["minReplicas"] >= 2
    assert parses({"groups": [{"name": "adapter", "rules": filled}]}, tmp_path)
