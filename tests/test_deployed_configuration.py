"""The configuration classes are the one source of compose, kustomize and .env.example; secrets are given as secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from urllib.parse import urlsplit

import pytest

from ops.config.report import is_secret
from ops.config.service import ServiceConfig
from tests.containers import compose
from tests.kustomized import OVERLAYS, overlay
from tests.processes import PROJECTS, ROOT

SERVICES = [project.removesuffix("_project") for project in PROJECTS]
CONFIGS: dict[str, type[ServiceConfig]] = {
    service: getattr(import_module(f"{service}_project.config"), f"{service.capitalize()}Config")
    for service in SERVICES
}
LOOPS = {"products": {"consumer"}, "orders": {"recovery", "relay"}}  # others have one with their name
WORKLOADS = {  # of each service, by its name in compose
    service: {f"{service}-service", f"{service}-migrate", f"{service}-nightly"}
    | LOOPS.get(service, {f"{service}-consumer"})
    for service in SERVICES
}
COMPOSE = {
    "development": compose("docker-compose.yml")["services"],
    "production": compose("docker-compose.yml", "docker-compose.prod.yml")["services"],
}
IN_COMPOSE = {"recovery": "orders-recovery"}
OF_LIBRARIES = {"OTEL_TRACES_SAMPLER"}

# Every deployment for production says these. A new variable of a config class goes into one of both lists.
DEPLOYED = {
    "ALLOWED_HOSTS",
    "DATABASE_URL",
    "DJANGO_ENV",
    "EVENTS_URL",
    "JAEGER_ENDPOINT",
    "LOG_LEVEL",
    "PRODUCTS_SERVICE_URL",  # of the shop
    "PUSHGATEWAY_URL",
    "SECRET_KEY",
    "SERVICE_KEY",
    "SERVICE_KEYS",
    "TRUSTED_PROXIES",
    "TRUST_FORWARDED_PROTO",
    "WEB_CONCURRENCY",
    "WEB_THREADS",
    "WORKER_METRICS_PORT",
}
LEFT_AT_DEFAULT = {
    "COMMAND_METRICS_DIR",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_CONNECT_TIMEOUT",
    "DATABASE_DIRECT_URL",
    "DATABASE_STATEMENT_TIMEOUT",
    "DEVELOPMENT_LINKS",
    "DEVELOPMENT_RECORDING",
    "EVENTS_EXCHANGE",
    "EVENTS_MAX_ATTEMPTS",
    "EVENTS_RECEIVER",
    "EVENTS_TIMEOUT",
    "FAULT_POINT",
    "JWT_AUDIENCE",
    "JWT_ISSUER",
    "JWT_KEYS",
    "LOG_FORMAT",
    "ORDERS_ANONYMOUS",  # of the shop
    "ORDER_LEASE",  # of the shop
    "ORDER_PATIENCE",  # of the shop
    "PEER_CA_BUNDLE",
    "PEER_CLIENT_CERTIFICATE",
    "PORT",  # the images have it
    "PRODUCTS_BREAKER_FAILURE_RATIO",  # of the shop
    "PRODUCTS_BREAKER_MIN_CALLS",  # of the shop
    "PRODUCTS_BREAKER_OPEN_FOR",  # of the shop
    "PRODUCTS_BREAKER_WINDOW",  # of the shop
    "PRODUCTS_CONNECT_TIMEOUT",  # of the shop
    "PRODUCTS_DEADLINE",  # of the shop
    "PRODUCTS_MAX_TRIES",  # of the shop
    "PRODUCTS_RETRY_BUDGET",  # of the shop
    "PRODUCTS_TRY_TIMEOUT",  # of the shop
    "REQUEST_MAX_BYTES",
    "SECRET_KEY_FALLBACKS",
    "SERVICE_TOKEN",  # for the upgrade from 1.0.0
    "SERVICE_VERSION",  # likewise
    "SHUTDOWN_DELAY",  # preStop in Kubernetes
    "WEB_QUEUE_TIMEOUT",
}


@dataclass(frozen=True)
class Given:
    """The variables of one workload, and the names of those that are given secretly."""

    variables: Mapping[str, str]
    secretly: frozenset[str]


def given(platform: str, kind: str, workload: str) -> Given:
    if platform == "kubernetes":
        pod = overlay(kind).pods()[workload]
        plain, secret = overlay(kind).config_map(pod.container), overlay(kind).secret(pod.container)
        return Given(plain | secret, frozenset(secret))
    environment = COMPOSE[kind][IN_COMPOSE.get(workload, workload)]["environment"]
    files = {name.removesuffix("_FILE") for name in environment if name.endswith("_FILE")}
    return Given(
        {name: value or "" for name, value in environment.items() if not name.endswith("_FILE")}, frozenset(files)
    )


DEPLOYMENTS = [("compose", kind) for kind in COMPOSE] + [("kubernetes", kind) for kind in OVERLAYS]
EVERY_WORKLOAD = [
    pytest.param(platform, kind, service, workload, id=f"{platform}-{kind}-{workload}")
    for platform, kind in DEPLOYMENTS
    for service, workloads in WORKLOADS.items()
    for workload in sorted(workloads)
]


def test_each_variable_is_either_deployed_or_left_at_its_default() -> None:
    known = {name for config in CONFIGS.values() for name in config.variables()}

    assert known == DEPLOYED | LEFT_AT_DEFAULT
    assert not DEPLOYED & LEFT_AT_DEFAULT
    assert known == set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


@pytest.mark.parametrize(("platform", "kind", "service", "workload"), EVERY_WORKLOAD)
def test_a_workload_gets_known_variables_and_its_secrets_secretly(
    platform: str, kind: str, service: str, workload: str
) -> None:
    config, found = CONFIGS[service], given(platform, kind, workload)
    secrets = {name.upper() for name, field in config.model_fields.items() if is_secret(field)}

    assert set(found.variables) - set(config.variables()) <= OF_LIBRARIES
    assert found.secretly <= secrets
    if kind != "development":
        assert set(config.variables()) & DEPLOYED <= set(found.variables) | found.secretly
    if platform == "kubernetes" or kind != "development":
        assert {name for name in secrets - found.secretly if found.variables.get(name)} == set()


@pytest.mark.parametrize(("platform", "kind"), DEPLOYMENTS)
def test_only_migrations_and_nightly_work_have_the_owners_password(platform: str, kind: str) -> None:
    for service, workloads in WORKLOADS.items():
        owning = {f"{service}-migrate", f"{service}-nightly"}
        for workload in workloads:
            found = given(platform, kind, workload)
            direct = found.variables.get("DATABASE_DIRECT_URL", "")
            if (platform, kind) == ("compose", "production"):
                assert (owner_file(workload) == f"/run/secrets/{service}_owner_url") == (workload in owning)
            elif workload in owning:
                assert urlsplit(direct).username == f"{service}_owner"
                assert urlsplit(found.variables["DATABASE_URL"]).username == service
            else:
                assert direct == ""


def owner_file(workload: str) -> str:
    return str(COMPOSE["production"][IN_COMPOSE.get(workload, workload)]["environment"]["DATABASE_DIRECT_URL_FILE"])


@pytest.mark.parametrize(
    ("platform", "kind", "service", "workload"),
    [parameters for parameters in EVERY_WORKLOAD if parameters.values[0] == "kubernetes"],
)
def test_a_pod_starts_with_its_variables(platform: str, kind: str, service: str, workload: str) -> None:
    reading = CONFIGS[service].read(given(platform, kind, workload).variables)

    assert reading.faults == {}
