"""What runs of these tests found, kept as JSON under var/faults, and the table of docs/reliability.md made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.processes import ROOT

DIRECTORY = ROOT / "var" / "faults"


def record(name: str, *, tried: str, promises: int, violations: list[str], **details: Any) -> Path:
    """Keep what one run tried, how many promises it checked, and what it found broken."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = DIRECTORY / f"{name}.json"
    found = {"tried": tried, "promises": promises, "violations": violations, **details}
    path.write_text(json.dumps(found, indent=2) + "\n")
    return path


def read_all() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(DIRECTORY.glob("*.json"))}
