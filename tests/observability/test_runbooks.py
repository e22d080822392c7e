"""Every alert has a runbook, and every query and command in it works on the running stack."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.containers import compose
from tests.observability.prometheus_server import shipped_rule_files
from tests.observability.watched_stack import WatchedStack
from tests.processes import ROOT, clean_environment

RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = sorted(RUNBOOKS.glob("*.md"))
ALERT_PAGES = [page for page in PAGES if page.stem != "README"]
PARTS = ["Impact", "Diagnosis", "Likely causes", "Mitigation", "Verification", "Follow-up"]
SERVICES = ("orders", "products")


def blocks(kind: str, pages: list[Path] = PAGES) -> list[str]:
    """Return the fenced blocks of a kind, each text once."""
    found = (re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL) for page in pages)
    return sorted({text.strip() for texts in found for text in texts})


def alert_names() -> set[str]:
    groups = (group for path in shipped_rule_files() for group in yaml.safe_load(path.read_text())["groups"])
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {page.stem for page in ALERT_PAGES} == alert_names()
    index = (RUNBOOKS / "README.md").read_text()
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == alert_names()


@pytest.mark.parametrize("page", ALERT_PAGES, ids=lambda page: str(page.stem))
def test_a_runbook_has_its_six_parts_and_something_to_run(page: Path) -> None:
    text = page.read_text()

    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == PARTS
    for part in ("Diagnosis", "Verification"):
        body = text.split(f"## {part}\n")[1].split("\n## ")[0]
        assert "```promql" in body, part
    assert re.search(r"^2\. ", text, flags=re.MULTILINE), "causes have an order"


def test_what_a_mitigation_names_exists() -> None:
    services = set(compose("docker-compose.yml")["services"])
    for page in PAGES:
        text = page.read_text()
        for words in re.findall(r"`docker compose (?:up|restart|stop|logs)((?: [\w-]+)+)`", text):
            named = {word for word in words.split() if not word.startswith("-")}
            assert named <= services, f"{page.name}: {named}"
        for command in re.findall(r"manage\.py ([a-z_]+)", text):
            assert [*ROOT.glob(f"**/management/commands/{command}.py")], f"{page.name}: {command}"


def test_every_query_of_a_runbook_finds_a_series(watched: WatchedStack) -> None:
    queries = blocks("promql")
    assert len(queries) > 40

    for query in queries:
        watched.prometheus.wait_for(query)


def test_no_command_of_a_runbook_hides_that_it_failed() -> None:
    assert [text for text in blocks("sh") if "||" in text] == []


def test_every_command_of_a_runbook_runs(watched: WatchedStack, tmp_path: Path) -> None:
    commands = blocks("sh")
    assert len(commands) > 15
    env = clean_environment({}) | stack_variables(watched, tmp_path) | {"USER": "operator"}
    failures = []

    running = [(text, start(text, env)) for text in commands]
    for text, process in running:
        output, errors = process.communicate(timeout=90)
        # The right side of a pipe decides the exit code; errors of the left side are on standard error.
        bad = [line for line in errors.splitlines() if re.search(r"not found|Unknown command|Traceback|curl: ", line)]
        # Doctor ends with 1 for what it finds, such as a check without an answer while so many programs start.
        wanted = (0, 1) if text.endswith(" doctor") else (0,)
        if process.returncode not in wanted or bad:
            failures.append((text, process.returncode, output[-500:], errors[-500:]))

    assert failures == []


def start(text: str, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-c", text], env=env, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def stack_variables(watched: WatchedStack, directory: Path) -> dict[str, str]:
    """Return the variables of docs/runbooks/README.md for the stack that runs here."""
    logs = directory / "logs"
    paths = {f"{name}-service": getattr(watched, name).log_path for name in SERVICES}
    paths["gateway"] = watched.door.log_path
    # Recovery does not run here, as no product has tracked stock.
    paths |= {"relay": watched.relay.log_path, "orders-recovery": watched.relay.log_path}
    cases = "".join(f"{name}) exec cat {path} ;;\n" for name, path in paths.items())
    logs.write_text(f'#!/bin/sh\ncase "$1" in\n{cases}*) echo "$1 not found" >&2; exit 1 ;;\nesac\n')
    logs.chmod(0o755)
    backups = directory / "backups"
    backups.mkdir()
    variables = {"LOGS": str(logs), "PROMETHEUS": watched.prometheus.url, "ALERTMANAGER": watched.alertmanager.url}
    for name in SERVICES:
        service = getattr(watched, name)
        kept = {key: value for key, value in service.env.items() if key not in ("JAEGER_ENDPOINT", "PUSHGATEWAY_URL")}
        wrapper = directory / f"in-{name}"
        exports = "".join(f"export {key}='{value}'\n" for key, value in kept.items())
        wrapper.write_text(f'#!/bin/sh\n{exports}exec {sys.executable} {ROOT}/{service.project}/manage.py "$@"\n')
        wrapper.chmod(0o755)
        variables |= {name.upper(): service.url, f"IN_{name.upper()}": str(wrapper)}
        variables |= {f"{name.upper()}_NIGHTLY": str(wrapper), "BACKUPS": str(backups)}
    documented = re.findall(r"\b([A-Z_]+)=", (RUNBOOKS / "README.md").read_text())
    assert set(variables) == set(documented) - {"COMPOSE_FILE", "SERVICE_VERSION"}  # which only docker compose reads
    return variables
