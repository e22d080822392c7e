"""scripts/detach makes a repository without the shop, whose checks and tests pass and whose service answers."""

from __future__ import annotations

import filecmp
import re
import subprocess
from pathlib import Path

import pytest
import requests

from tests.checkout import copy_checkout, link_environment
from tests.made_service import run, serving
from tests.processes import ROOT, free_port

pytestmark = pytest.mark.timeout(900)  # the first one makes the repository, with a dozen processes
CHECKS = (
    ("-m", "ruff", "check", "."),
    ("-m", "ruff", "format", "--check", "."),
    ("-m", "yamllint", "--strict", "."),
    ("-m", "tests.contract_breaks"),
    ("-m", "prometheus.make_slo_rules", "--check"),
    *((f"scripts/document-{page}", "--check") for page in ("config", "commands", "telemetry")),
)
TESTS = ("architecture", "compose_files", "documentation", "kubernetes_files", "language")


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=argos", "-c", "user.email=argos@example.com")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "Start")):
        git(folder, *words)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this repository, committed."""
    checkout = copy_checkout(tmp_path_factory.mktemp("detach") / "argos")
    commit(checkout)
    return checkout


@pytest.fixture(scope="module")
def detached(checkout: Path) -> Path:
    """Return a repository that scripts/detach made of the copy."""
    folder = checkout.parent / "billings"
    done = run(checkout, "scripts/detach", "billings", folder)
    assert f"Made {folder}: the service billings" in done.stdout
    commit(folder)
    link_environment(folder)
    return folder


def test_its_checks_and_tests_pass(detached: Path) -> None:
    for check in CHECKS:
        run(detached, *check)
    files = [f"tests/test_{name}.py" for name in TESTS]
    one_overlay = ("-k", "not staging and not production")
    run(detached, "-m", "pytest", "-q", "-c", "tests/pytest.ini", *files, *one_overlay)
    run(detached, "-m", "pytest", "-q", "-c", "billings_project/pytest.ini", "billings_project", "-k", "not migration")
    run(detached, "-m", "pytest", "-q", "-c", "ops/pytest.ini", "ops/tests/test_config.py")
    rules = [file.relative_to(detached) for file in (detached / "prometheus" / "rules").iterdir()]
    subprocess.run(["promtool", "check", "rules", *rules], cwd=detached, check=True, capture_output=True)


def test_its_service_answers(detached: Path) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    with serving(detached, f"BILLINGS_PORT={port}", products=port, orders=port) as said:
        health = requests.get(f"{url}/healthz", timeout=30)
        missing = requests.get(f"{url}/billings/42", timeout=30)

    assert f"Running: billings {url}/docs\n".encode() in said
    assert (health.status_code, health.text) == (200, "OK")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_the_shop_stays_behind_and_the_packages_go_along_as_they_are(detached: Path) -> None:
    names = re.compile(r"(orders|products)(_project|-service|-db)")
    files = [path for path in detached.rglob("*") if path.is_file() and not path.is_symlink()]
    own = [
        path for path in files if {"ops", "events", ".git", ".venv"}.isdisjoint(path.parts) and path.suffix != ".pyc"
    ]

    assert [path for path in own if names.search(str(path.relative_to(detached)))] == []
    yaml = [path for path in own if path.suffix in (".yml", ".yaml", ".conf", ".template", ".ini")]
    assert [path for path in yaml if "jaeger" not in path.parts and names.search(path.read_text())] == []
    for package in ("ops", "events"):
        for path in (ROOT / package).rglob("*.py"):
            assert filecmp.cmp(path, detached / path.relative_to(ROOT), shallow=False), path


def test_the_readme_says_which_release_it_comes_from(detached: Path) -> None:
    version = re.search(r'__version__ = "(.+)"', (ROOT / "ops" / "__init__.py").read_text())
    assert version is not None
    assert f"started from Argos {version[1]}." in (detached / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "folder", "problem"),
    [
        ("Billing", "new", "is not a plural"),
        ("orders", "new", "the name orders is taken"),
        ("axes", "new", "the name axes is taken"),
        ("billings", "full", "is not empty"),
        ("billings", ROOT / "new", "is inside this repository"),
    ],
)
def test_a_name_or_a_folder_that_cannot_be_is_refused(name: str, folder: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()

    assert problem in run(ROOT, "scripts/detach", name, tmp_path / folder, code=2).stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("folder", "why"), [("file/new", "Not a directory"), ("loop", "File exists")])
def test_a_folder_that_cannot_be_made_is_named(checkout: Path, folder: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")

    refused = run(checkout, "scripts/detach", "billings", tmp_path / folder, code=2).stderr

    assert refused.endswith(f"error: {tmp_path / folder} cannot be made: {why}\n")


def test_a_tree_with_changes_is_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / "forgotten.py").touch()
    try:
        refused = run(checkout, "scripts/detach", "billings", tmp_path / "new", code=2).stderr
    finally:
        (checkout / "forgotten.py").unlink()

    assert "changes that are not committed:\n?? forgotten.py" in refused
