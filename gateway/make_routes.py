"""Write gateway/routes.conf from the OpenAPI documents of both services; a test compares them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROUTES = ROOT / "gateway" / "routes.conf"
HEADER = "# The open paths, from the OpenAPI documents. Written by python -m gateway.make_routes.\n"
# Those that the gateway publishes.
SERVICES = re.findall(r"^set \$(\w+) ", (ROOT / "gateway" / "public.conf.template").read_text(), re.MULTILINE)
FOR_SERVICES: list[dict[str, list[str]]] = [
    {"serviceToken": []}
]  # ops.api.openapi.SERVICE_SCHEME, which needs settings
SEGMENTS = {"integer": "[0-9]+"}  # of the path, by the type of its parameter


def document_of(service: str) -> Mapping[str, Any]:
    """Return the OpenAPI document that the service serves."""
    command = [sys.executable, str(ROOT / f"{service}_project/manage.py"), "spectacular", "--format", "openapi-json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    document: Mapping[str, Any] = json.loads(done.stdout)
    return document


def open_paths(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a regular expression for each path that has an operation for more than services."""
    for path, item in document["paths"].items():
        if all(operation.get("security") == FOR_SERVICES for operation in item.values()):
            continue
        types = {
            parameter["name"]: parameter["schema"]["type"]
            for operation in item.values()
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "path"
        }
        parts = re.split(r"\{(\w+)\}", path)
        yield "".join(
            SEGMENTS.get(types[part], "[^/]+") if odd % 2 else re.escape(part) for odd, part in enumerate(parts)
        )


def routes(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the whole file: lines of nginx's `map`."""
    lines = [
        f'"~^(/api/v1)?{path}$" ${service};\n'
        for service, document in documents.items()
        for path in open_paths(document)
    ]
    return HEADER + "".join(lines)


if __name__ == "__main__":
    ROUTES.write_text(routes({service: document_of(service) for service in SERVICES}))
