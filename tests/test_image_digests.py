"""Images of other projects are pinned by digest: scripts/pin-images writes it, and a release needs each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.containers import Dockerfile, compose
from tests.processes import PROJECTS, ROOT

FILES = ("docker-compose.yml", ".devcontainer/devcontainer.json", "kubernetes/overlays/development/servers.yaml")
# Their digests could not be read when the others were pinned: docs/releasing.md says how to pin them.
UNPINNED = {"nginx:1.30.6-alpine", "rabbitmq:4.2.1-management", "grafana/alloy:v1.21.2", "python:3.13-trixie"}
# Answers as a registry that knows each tag but one; a digest is the checksum of its tag.
DOCKER = """#!/bin/sh
for tag; do :; done
echo "$*" >>"$CALLS"
[ "$tag" != gone:1.0 ] || { echo "$tag: not found" >&2; exit 1; }
printf 'sha256:%s\\n' "$(printf '%s' "$tag $GENERATION" | sha256sum | cut -c1-64)"
"""
DIGEST = r"sha256:[0-9a-f]{64}"


class Folder:
    """A folder with the script, some files and a `docker` that stands for a registry."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("scripts", "bin"):
            (path / name).mkdir()
        self.script = shutil.copy(ROOT / "scripts/pin-images", path / "scripts")
        (path / "bin/docker").write_text(DOCKER)
        (path / "bin/docker").chmod(0o755)

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def run(self, *arguments: str, generation: int = 1) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.path}/bin:{os.environ['PATH']}", "CALLS": f"{self.path}/calls"}
        return subprocess.run(
            [self.script, *arguments],
            env=environment | {"GENERATION": str(generation)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def asked(self) -> list[str]:
        calls = self.path / "calls"
        return [call.split()[-1] for call in calls.read_text().splitlines()] if calls.exists() else []


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_one_command_pins_every_image_of_the_project(folder: Folder) -> None:
    for name in (*FILES, *(f"{project}/Dockerfile" for project in PROJECTS)):
        folder.write(name, re.sub(rf"@{DIGEST}", "", (ROOT / name).read_text()))

    before = folder.run("--check")
    done = folder.run()
    after = folder.run("--check")

    assert (before.returncode, done.returncode, after.returncode) == (1, 0, 0), done.stderr
    written = "".join((folder.path / name).read_text() for name in FILES)
    services = compose("docker-compose.yml")["services"].values()
    tags = {service["image"].split("@")[0] for service in services if "build" not in service}
    assert {line.split("@")[0] for line in done.stdout.splitlines()} == {
        *tags,
        *(stage[0][1].split("@")[0].split()[0] for project in PROJECTS for stage in Dockerfile(project).stages),
        "python:3.13-trixie",
    }
    assert {line.removesuffix(" has no digest") for line in before.stderr.splitlines()[:-1]} == set(folder.asked())
    assert all(re.search(rf"image: {re.escape(tag)}@{DIGEST}\n", written) for tag in tags)
    assert "image: ${ARGOS_REGISTRY:-argos}/products-service:${SERVICE_VERSION:-dev}${" in written


def test_a_digest_stays_until_it_is_renewed(folder: Folder) -> None:
    file = folder.write("docker-compose.yml", "services:\n  db:\n    image: postgres:18  # the newest\n")
    folder.run()
    first = file.read_text()

    again, renewed = folder.run(generation=2), file.read_text()
    new = folder.run("--renew", generation=2)

    assert re.fullmatch(rf"services:\n  db:\n    image: postgres:18@{DIGEST}  # the newest\n", first)
    assert (again.stdout, renewed) == ("", first)
    assert re.fullmatch(rf"postgres:18@{DIGEST}\n", new.stdout)
    assert new.stdout.strip() in file.read_text() != first


def test_a_tag_that_the_registry_does_not_know_changes_no_file(folder: Folder) -> None:
    text = "FROM alpine:3.24 AS build\nFROM gone:1.0\n"
    file = folder.write("shop_project/Dockerfile", text)

    done = folder.run()

    assert (done.returncode, file.read_text()) == (1, text)
    assert done.stderr == "gone:1.0: docker gave no digest: gone:1.0: not found\n"


def test_the_check_fails_where_two_places_disagree_and_asks_no_registry(folder: Folder) -> None:
    folder.write("docker-compose.yml", f"  image: postgres:18@sha256:{'a' * 64}\n")
    folder.write("shop_project/Dockerfile", f"FROM postgres:18@sha256:{'b' * 64} AS nightly\n")

    done = folder.run("--check")

    assert done.returncode == 1
    assert f"postgres:18 has several digests: sha256:{'a' * 64}, sha256:{'b' * 64}" in done.stderr
    assert folder.asked() == []


def test_every_image_has_one_digest_but_those_that_still_need_one() -> None:
    done = subprocess.run([ROOT / "scripts/pin-images", "--check"], capture_output=True, text=True, check=False)

    faults = [line for line in done.stderr.splitlines() if not line.startswith("Run ")]
    assert {line.removesuffix(" has no digest") for line in faults} <= UNPINNED


def test_a_release_needs_the_digest_of_every_image() -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]["images"]["steps"]
    commands = [step.get("run", "") for step in steps]

    check = next(number for number, command in enumerate(commands) if "scripts/pin-images --check" in command)
    build = next(number for number, command in enumerate(commands) if "scripts/release-images" in command)
    assert check < build


def test_one_pull_request_updates_an_image_wherever_it_is_named() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    images = [update for update in updates if update["package-ecosystem"].startswith("docker")]

    folders = {folder for update in images for folder in update.get("directories", [update.get("directory")])}
    assert folders == {"/", "/kubernetes/overlays/development", *(f"/{project}" for project in PROJECTS)}
    assert [update["multi-ecosystem-group"] for update in images] == ["images"] * len(images)
