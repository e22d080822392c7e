"""The documentation and the code list the same names."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.run import table  # of the shop
from tests.declared_metrics import declared_metrics
from tests.processes import ROOT, clean_environment, manage, running_stack
from tests.test_architecture import PACKAGES, sources

REFERENCE = (ROOT / "docs" / "operations" / "reference.md").read_text()
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()

# Raised by Django REST framework with its own codes.
CODES_OF_REST_FRAMEWORK = {
    "method_not_allowed",
    "not_acceptable",
    "not_authenticated",
    "not_found",
    "parse_error",
    "permission_denied",
    "unsupported_media_type",
}


def first_column(text: str, heading: str) -> set[str]:
    """Return the names in backquotes in the first column of the tables under a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0]
    names = [name.split()[0] for name in re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE)]
    assert len(names) == len(set(names)), f"{heading} lists a name twice"
    return set(names)


def trees() -> Iterator[ast.Module]:
    for package in PACKAGES:
        for path in sources(package):
            yield ast.parse(path.read_text())


def test_every_metric_is_documented_and_every_documented_one_is_exported(tmp_path: Path) -> None:  # of the shop
    with running_stack(tmp_path) as stack:
        exported = "".join(requests.get(f"{service.url}/metrics", timeout=30).text for service in vars(stack).values())

    assert first_column(REFERENCE, "Metrics") == set(re.findall(r"^# TYPE (\S+)", exported, flags=re.MULTILINE))


def test_every_log_event_is_documented_and_every_documented_one_is_logged() -> None:
    logged = set()
    for tree in trees():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr in {"debug", "info", "warning", "error", "log"}:
                constants = (argument.value for argument in call.args if isinstance(argument, ast.Constant))
                logged |= {text for text in constants if re.fullmatch(r"[a-z_]+\.[a-z_]+", str(text))}

    assert first_column(REFERENCE, "Logs") == logged


def test_every_command_is_documented_and_every_documented_one_exists() -> None:
    commands = {path.stem for package in PACKAGES for path in sources(package) if path.parent.name == "commands"} - {
        "__init__"
    }

    assert first_column(REFERENCE, "Commands") == commands


def test_every_metric_of_a_command_is_documented_and_every_documented_one_is_published() -> None:
    published = {name for name, metric in declared_metrics().items() if set(metric["of"]) <= {"commands", "loops"}}

    assert first_column(REFERENCE, "Metrics of commands") == published


def test_every_check_of_doctor_is_documented_and_every_documented_one_exists() -> None:
    diagnosis = ROOT / "ops" / "diagnosis"
    sources = (diagnosis / "registry.py", diagnosis / "surroundings.py", *ROOT.glob("*/**/reachable.py"))
    checks = {check for path in sources for check in re.findall(r'"([a-z]+\.[a-z_]+)"', path.read_text())}

    assert first_column(REFERENCE, "Doctor's checks") == checks


def test_the_page_of_the_commands_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "document-commands"), "--check"],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("project", "command"), [("orders_project", "doctor"), ("products_project", "runserver")])
def test_the_page_of_the_commands_shows_what_help_prints(project: str, command: str) -> None:
    printed = manage(project, command, "--help", env={"COLUMNS": "100"}).stdout

    page = (ROOT / "docs" / "commands.md").read_text().partition(f"\n### {command}\n")[2].partition("\n### ")[0]
    shown = {line for line in printed.splitlines() if "-v" not in line}  # which each Python shows in its own way
    assert shown <= {*page.splitlines()}


def test_every_system_check_is_documented_and_every_documented_one_exists() -> None:
    declared = set(re.findall(r'"(ops\.[EW]\d{3})"', (ROOT / "ops" / "diagnosis" / "checks.py").read_text()))

    assert first_column(REFERENCE, "System checks") == declared


def test_every_error_code_is_documented_and_every_documented_one_exists() -> None:
    codes: set[object] = set(CODES_OF_REST_FRAMEWORK)
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["code"]:
                codes |= {node.value.value} if isinstance(node.value, ast.Constant) else set()
            if isinstance(node, ast.ClassDef):
                given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                codes |= {value.value for value in given if isinstance(value, ast.Constant)}
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"problem", "problem_response"}:
                codes |= {argument.value for argument in node.args[1:2] if isinstance(argument, ast.Constant)}
            if isinstance(node, ast.Tuple) and len(node.elts) == 3 and "HTTPStatus." in ast.unparse(node.elts[1]):
                codes |= {node.elts[2].value} if isinstance(node.elts[2], ast.Constant) else set()
    codes |= set(re.findall(r'"code":"(\w+)"', (ROOT / "gateway/nginx.conf.template").read_text()))

    assert first_column(API, "Errors") == codes


def test_every_file_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`((?:ops|events|tests|scripts|bench|docs|grafana|requirements)/[\w./*-]+)`", README))

    assert {name for name in named if not list(ROOT.glob(name.rstrip("/")))} == set()


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda path: str(path.name))
def test_every_link_within_the_documentation_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, fragment = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), f"{page}: {target}"
        if fragment and linked.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), flags=re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
            assert fragment in anchors, f"{page}: {target}"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_page_on_performance_shows_what_was_measured_last(database: str) -> None:  # of the shop
    found = json.loads((ROOT / "bench" / "results" / f"{database}.json").read_text())
    assert table(found["medians"]) in (ROOT / "docs" / "performance.md").read_text()
