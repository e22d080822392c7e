"""Actions are pinned, the SBOM names what an image holds, and a release's images are those that compose then runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.containers import Dockerfile, compose
from tests.processes import PROJECTS, ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SERVICES = [project.removesuffix("_project") for project in PROJECTS]
IMAGES = [f"{service}-{kind}" for service in SERVICES for kind in ("service", "nightly")]
# Each notes its arguments; docker leaves a digest, as if it had pushed an image.
STUB = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$*" in *--metadata-file*) ;; *) exit ;; esac
printf '{"containerimage.digest": "sha256:%s"}' "$(echo "$*" | sha256sum | cut -c1-64)" >pushed.json
"""


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path} | env
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_beside_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: (.+)", workflow.read_text())

    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+|\$/\.github/workflows/ci\.yml", action), action


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_says_more(workflow: Path) -> None:
    parsed = yaml.safe_load(workflow.read_text())

    assert parsed["permissions"] in ({}, {"contents": "read"})
    assert "release" in workflow.stem or all("permissions" not in job for job in parsed["jobs"].values())


def test_the_lanes_have_the_python_of_the_images_and_a_django_pinned_by_hash() -> None:
    parsed = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    lanes = parsed["jobs"]["ci"]["strategy"]["matrix"]
    (python,) = {re.findall(r"^FROM python:([\d.]+)-", Dockerfile(name).text, re.MULTILINE)[0] for name in PROJECTS}

    assert python in lanes["python"]
    assert lanes["include"]
    for django in (lane["django"] for lane in lanes["include"]):
        pinned = (ROOT / f"requirements/django-{django}.txt").read_text()
        assert re.match(rf"django=={re.escape(django)}\.\d+ \\\n    --hash=sha256:", pinned)


@pytest.mark.parametrize("service", SERVICES)
def test_the_sbom_names_each_package_of_the_lock_file_with_its_version(service: str, tmp_path: Path) -> None:
    locked = re.findall(r"^([\w.-]+)==([\w.+-]+)", (ROOT / f"requirements/{service}.txt").read_text(), re.MULTILINE)

    done = run(ROOT / "scripts/sbom", service, tmp_path / "sbom.json")

    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "sbom.json").read_text())
    assert found["bomFormat"] == "CycloneDX"
    assert sorted((part["name"], part["version"]) for part in found["components"]) == sorted(locked)


def test_the_notes_of_a_release_are_its_section_of_the_changelog(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/environment", tmp_path / "scripts")
    (tmp_path / ".env.example").touch()
    script = shutil.copy(ROOT / "scripts/release-notes", tmp_path / "scripts")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [1.1.0] - 2026-12-01\n\n### Added\n- New.\n\n## [1.0.0]\n\nOld.\n"
    )

    found, missing = run(script, "v1.1.0"), run(script, "v1.2.0")

    assert (found.returncode, found.stdout.split()) == (0, ["###", "Added", "-", "New."])
    assert (missing.returncode, missing.stderr) == (1, "CHANGELOG.md has no section ## [1.2.0]\n")


def test_compose_runs_the_very_images_that_a_release_pushed_and_signed(tmp_path: Path) -> None:
    for name in ("scripts", "bin"):
        (tmp_path / name).mkdir()
    script = shutil.copy(ROOT / "scripts/release-images", tmp_path / "scripts")
    for program in ("docker", "cosign"):
        (tmp_path / "bin" / program).write_text(STUB)
        (tmp_path / "bin" / program).chmod(0o755)

    done = run(
        script,
        "registry.example/argos",
        "v1.0.0",
        PATH=f"{tmp_path}/bin:{os.environ['PATH']}",
        CALLS=f"{tmp_path}/calls",
    )

    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    release = dict(line.split("=", 1) for line in (tmp_path / "images.env").read_text().splitlines())
    files = compose("docker-compose.yml", "docker-compose.prod.yml", variables=release)["services"]
    running = {files[image]["image"] for image in IMAGES}
    assert {files[image]["pull_policy"] for image in IMAGES} == {"missing"}
    signed = {re.sub(r":v1\.0\.0@", "@", image) for image in running}
    assert {call.split()[-1] for call in calls if call.startswith("cosign sign ")} == signed
    assert {call.split()[-1] for call in calls if call.startswith("cosign attest ")} == signed
    assert len(signed) == len(IMAGES)
    for image in running:
        assert re.fullmatch(r"registry\.example/argos/[a-z-]+:v1\.0\.0@sha256:[0-9a-f]{64}", image)
    for call in (call for call in calls if call.startswith("docker")):
        assert "--platform linux/amd64,linux/arm64 --provenance mode=max" in call
        assert ("--target nightly" in call) == ("-nightly:" in call)


def test_without_a_release_no_image_of_ours_comes_from_a_registry() -> None:
    services = compose("docker-compose.yml", "docker-compose.prod.yml")["services"]

    assert {service["pull_policy"] for service in services.values() if "build" in service} == {"build"}
    assert set(IMAGES) <= {name for name, service in services.items() if "build" in service}


def test_a_change_of_each_folder_of_an_image_makes_it_anew() -> None:
    for service in SERVICES:
        found = compose("docker-compose.yml")["services"][f"{service}-service"]["develop"]["watch"]
        copied = {line.split()[0] for line in Dockerfile(f"{service}_project").values("COPY", stage=0)}

        assert {rule["path"] for rule in found} == {folder for folder in copied if (ROOT / folder).is_dir()}
        assert {rule["action"] for rule in found} == {"rebuild"}


def test_a_report_shows_each_suite_and_each_test_that_failed(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text("def test_good(): pass\ndef test_bad(): assert 0\n")

    run(
        ROOT / "scripts/pytest",
        "-q",
        "-p",
        "no:django",
        "--rootdir",
        tmp_path,
        tmp_path,
        cwd=tmp_path,
        REPORT=f"{tmp_path}/two",
    )
    done = run(ROOT / "scripts/summarize-tests", tmp_path)

    lines = done.stdout.splitlines()
    assert re.fullmatch(r"\| two \| 2 \| 1 \| 0 \| \d+ s \|", lines[2]), done.stdout + done.stderr
    assert lines[3] == "| `test_two.test_bad` | | failed | | |"
    assert lines[4].startswith("| two-again | 1 | 1 |")
