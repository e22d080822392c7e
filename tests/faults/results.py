"""The results of these tests as JSON under var/faults, and the table in docs/reliability.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.processes import ROOT

DIRECTORY = ROOT / "var" / "faults"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- results: written by python -m tests.faults.results -->\n", "<!-- end of results -->"


def record(name: str, *, tried: str, promises: int, violations: list[str], **details: Any) -> Path:
    """Store the faults of one run, its number of checked promises, and its violations."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = DIRECTORY / f"{name}.json"
    found = {"tried": tried, "promises": promises, "violations": violations, **details}
    path.write_text(json.dumps(found, indent=2) + "\n")
    return path


def table() -> str:
    """Return the table of the last results, one row for each kind of fault."""
    rows = ["| faults tried | promises checked | violations |", "|---|---|---|"]
    for path in sorted(DIRECTORY.glob("*.json")):
        found = json.loads(path.read_text())
        rows.append(f"| {found['tried']} | {found['promises']} | {len(found['violations'])} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Write the table into docs/reliability.md."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}")
    print(f"Wrote {PAGE.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
