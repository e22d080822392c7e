"""Read compose files and Dockerfiles as compose and the builder do, and run their commands as local processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.processes import ROOT

Document = dict[str, Any]


class Override(list[Any]):
    """A list of `!override`, which replaces the list of an earlier file."""


class ComposeLoader(yaml.SafeLoader):
    """Reads compose files, with the one tag that ours have."""


def override(loader: ComposeLoader, node: yaml.SequenceNode) -> Override:
    return Override(loader.construct_sequence(node))


ComposeLoader.add_constructor("!override", override)

VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def compose(*files: str, variables: Mapping[str, str] | None = None) -> Document:
    """Return the compose file with the later ones merged over it; a variable without a value is at its default."""
    merged: Document = {}
    for file in files:
        merged = _merge(merged, yaml.load((ROOT / file).read_text(), ComposeLoader))
    filled: Document = _fill(merged, variables or {})
    return filled


def _fill(value: Any, variables: Mapping[str, str]) -> Any:
    """Replace each `${VARIABLE:-default}` by its value or its default; every variable must have one."""
    if isinstance(value, dict):
        return {key: _fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, variables) for item in value]
    if isinstance(value, str):
        filled = VARIABLE.sub(lambda found: variables.get(found[1]) or found[2], value)
        assert "${" not in filled, f"no default: {value}"
        return filled
    return value


def _merge(base: Document, override: Document) -> Document:
    merged = dict(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        elif isinstance(value, list) and isinstance(merged.get(key), list) and _is_added(key, value):
            merged[key] = merged[key] + value
        else:
            merged[key] = value
    return merged


def _is_added(key: str, value: list[Any]) -> bool:
    return key not in ("command", "test") and not isinstance(value, Override)


class Dockerfile:
    """One service's image: `stages` holds each stage's instructions as (name, value) pairs."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.text = (ROOT / project / "Dockerfile").read_text()
        lines = [line for line in self.text.splitlines() if not line.startswith("#")]
        instructions = "\n".join(lines).replace("\\\n", " ").splitlines()
        self.stages: list[list[tuple[str, str]]] = []
        for name, value in (line.split(maxsplit=1) for line in instructions if line.strip()):
            if name == "FROM":
                self.stages.append([])
            self.stages[-1].append((name, value))

    def values(self, name: str, stage: int = -1) -> list[str]:
        """Return the values of a stage's instructions of this name; the default is the final stage."""
        return [value for instruction, value in self.stages[stage] if instruction == name]

    def environment(self) -> dict[str, str]:
        """Return the ENV of the final stage without PATH; a build argument has its default."""
        arguments = dict(argument.split("=", 1) for argument in self.values("ARG"))
        found = {}
        for line in self.values("ENV"):
            for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', line):
                found[name] = arguments.get(bare.removeprefix("$"), quoted or bare)
        found.pop("PATH")
        return found

    def command(self) -> list[str]:
        """Return CMD, which must be in exec form."""
        (command,) = self.values("CMD")
        return exec_form(command)

    def healthcheck(self) -> list[str]:
        """Return the command of HEALTHCHECK, which must be in exec form."""
        (check,) = self.values("HEALTHCHECK")
        return exec_form(check.split("CMD", 1)[1])

    def static_files_command(self) -> str:
        """Return the build's shell command that collects static files."""
        (command,) = (value for value in self.values("RUN", stage=0) if "collectstatic" in value)
        return command

    def unpack(self, directory: Path) -> Path:
        """Copy the files of the build without those of .dockerignore; return the folder, the image's /app."""
        ignored = re.findall(r"^\*\*/(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
        for line in self.values("COPY", stage=0):
            source, target = line.split()
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, directory / target, ignore=shutil.ignore_patterns(*ignored))
        return directory


def exec_form(command: str) -> list[str]:
    """Parse a command in its exec form, a JSON list."""
    parsed = json.loads(command)
    assert isinstance(parsed, list)
    return parsed


def container_environment(*sources: Mapping[str, Any]) -> dict[str, str]:
    """Return the whole environment of a container's process; it has only PATH of this process.

    Compose passes on a variable without a value if it is set; here it is unset.
    """
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for source in sources:
        environment.update({name: str(value) for name, value in source.items() if value is not None})
    return environment


def run(command: list[str], *, app: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one command to its end in the image's /app."""
    return subprocess.run(command, cwd=app, env=dict(env), capture_output=True, text=True, timeout=100, check=False)
