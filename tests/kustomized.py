"""Build the overlays of kubernetes/ as `kubectl apply -k` does, and read what a pod would get."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.processes import ROOT

Document = dict[str, Any]
OVERLAYS = ("development", "staging", "production")
KUBECTL = Path(sys.executable).parent / "kubectl"
SERVERS = {  # of the operator's, in the files that scripts/secrets makes
    "DATABASE_URL=": "DATABASE_URL=postgres://{service}:0123456789abcdef@db.example:5432/{service}",
    "DATABASE_DIRECT_URL=": "DATABASE_DIRECT_URL=postgres://{service}_owner:fedcba9876543210@db.example:5432/{service}",
    "EVENTS_URL=": "EVENTS_URL=amqps://{service}:0123456789abcdef@mq.example:5671/",
}


@dataclass(frozen=True)
class Pod:
    """The pod of a Deployment, a StatefulSet, a Job or a CronJob."""

    kind: str
    name: str
    labels: Mapping[str, str]
    spec: Document

    @property
    def container(self) -> Document:
        """The one container that is not an init container."""
        (container,) = self.spec["containers"]
        found: Document = container
        return found


@dataclass(frozen=True)
class Overlay:
    """The objects of one overlay."""

    objects: tuple[Document, ...]

    def all(self, kind: str) -> list[Document]:
        """Return the objects of a kind."""
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str) -> Document:
        """Return the object of this kind and name."""
        (found,) = (found for found in self.all(kind) if found["metadata"]["name"] == name)
        return found

    def pods(self) -> dict[str, Pod]:
        """Return each pod by its name."""
        return {pod.name: pod for pod in self._pods()}

    def _pods(self) -> Iterator[Pod]:
        for found in self.objects:
            spec = found.get("spec", {})
            template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
            if template:
                name = template["metadata"]["labels"]["app.kubernetes.io/name"]
                yield Pod(found["kind"], name, template["metadata"]["labels"], template["spec"])

    def config_map(self, container: Document) -> dict[str, str]:
        """Return the variables of a container that come from ConfigMaps."""
        return self._variables(container, "ConfigMap", "configMapRef")

    def files(self, pod: Pod, volume: str) -> dict[str, str]:
        """Return the files of a volume that is a ConfigMap."""
        (name,) = (each["configMap"]["name"] for each in pod.spec["volumes"] if each["name"] == volume)
        found: dict[str, str] = self.one("ConfigMap", name)["data"]
        return found

    def secret(self, container: Document) -> dict[str, str]:
        """Return the variables of a container that come from Secrets."""
        encoded = self._variables(container, "Secret", "secretRef")
        return {name: base64.b64decode(value).decode() for name, value in encoded.items()}

    def _variables(self, container: Document, kind: str, reference: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            if reference in source:
                found |= self.one(kind, source[reference]["name"])["data"]
        return found


@cache
def overlay(name: str) -> Overlay:
    """Build one overlay, in a copy that has the secrets of scripts/secrets."""
    with TemporaryDirectory() as directory:
        root = Path(directory)
        for source in ("kubernetes", "postgresql", "rabbitmq"):
            shutil.copytree(ROOT / source, root / source, ignore=shutil.ignore_patterns("secrets"))
        folder = root / "kubernetes" / "overlays" / name
        if name != "development":
            make_secrets(root, folder)
        done = subprocess.run(
            [KUBECTL, "kustomize", folder],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # kustomize warns there
    return Overlay(tuple(yaml.safe_load_all(done.stdout)))


def make_secrets(root: Path, folder: Path) -> None:
    """Run scripts/secrets in this copy, and fill in the addresses of the servers."""
    (root / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts/secrets", root / "scripts")
    subprocess.run([script, folder.relative_to(root)], check=True, capture_output=True)
    for file in (folder / "secrets").iterdir():
        text = file.read_text()
        for line, filled in SERVERS.items():
            text = text.replace(f"{line}\n", filled.format(service=file.stem.partition("-")[0]) + "\n")
        file.write_text(text)
