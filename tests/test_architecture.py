"""The arrows of docs/architecture.md: what may import what, and how large it may grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT

PACKAGES = ("ops", "events", "products_project", "orders_project")
# Lines of code: what serves requests, and what only commands use.
LINE_BUDGETS = {
    "ops": (3000, 2600),
    "events": (400, 1100),
    "products_project": (1000, 1000),
    "orders_project": (1000, 1000),
}
OPERATIONS = {  # folders and modules that no request ever reaches
    *{"management", "backups", "doctor", "seeding", "smoke"},
    *{"purging", "reconciliation", "exporting", "output", "keyset", "tables", "bar_chart", "superuser", "pacing"},
    *{"arguments", "durations", "command_help", "command_metrics", "commands", "exclusive", "at_once"},
    *{"backing_services", "config_report"},
    *{"transports", "relaying", "consuming", "queue", "queues", "backoff"},
}
LONGEST_FILE = 300
VAGUE_NAMES = {"utils", "util", "helpers", "common", "misc", "base"}

# Within a service: which of its modules must not know which others.
FORBIDDEN = {
    "models": {"services", "selectors", "views", "serializers", "products_client", "metrics"},
    "errors": {"services", "selectors", "views", "serializers", "models"},
    "selectors": {"services", "views", "serializers"},
    "services": {"views", "serializers"},
    "reservations": {"services", "selectors", "views", "serializers"},
    "stock": {"services", "selectors", "views", "serializers"},
    "serializers": {"services", "selectors", "views"},
    "products_client": {"services", "selectors", "views", "serializers", "models"},
}


def sources(package: str) -> list[Path]:
    return [
        path
        for path in sorted((ROOT / package).rglob("*.py"))
        if not {"tests", "migrations"} & set(path.relative_to(ROOT).parts)
    ]


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, also within its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("package", "foreign"),
    [
        ("ops", ("events", "products_project", "orders_project")),
        ("events", ("products_project", "orders_project")),
        ("products_project", ("orders_project",)),
        ("orders_project", ("products_project",)),
    ],
)
def test_packages_know_only_what_their_arrows_allow(package: str, foreign: tuple[str, ...]) -> None:
    found = [(path.name, name) for path in sources(package) for name in imports(path) if name.startswith(foreign)]

    assert found == []


def test_the_layers_of_a_service_never_point_back() -> None:
    found = []
    for package in ("products_project", "orders_project"):
        app = package.removesuffix("_project")
        for path in sources(package):
            banned = tuple(f"{package}.{app}.{layer}" for layer in FORBIDDEN.get(path.stem, ()))
            found += [(str(path), name) for name in imports(path) if banned and name.startswith(banned)]

    assert found == []


def test_one_module_talks_to_products() -> None:
    users = [path.name for path in sources("orders_project") for name in imports(path) if "http_client" in name]

    assert set(users) == {"products_client.py"}


def test_only_management_commands_and_services_write() -> None:
    """Views and admin call use cases: no view opens a transaction of its own."""
    found = [
        path.name
        for package in ("products_project", "orders_project")
        for path in sources(package)
        if path.name in ("views.py", "serializers.py")
        for name in imports(path)
        if name.startswith("django.db.transaction")
    ]

    assert found == []


def test_files_are_named_after_their_job() -> None:
    found = [path for package in (*PACKAGES, "tests") for path in sources(package) if path.stem in VAGUE_NAMES]

    assert found == []


def lines_of_code(path: Path) -> int:
    """Count lines without blank ones, comments and docstrings: words to the reader are not what makes code large."""
    source = path.read_text()
    words: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            words |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(source.splitlines(), 1)
    return sum(1 for number, line in lines if line.strip() and line.strip()[0] != "#" and number not in words)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_stay_small(package: str) -> None:
    served, operated = 0, 0
    for path in sources(package):
        if OPERATIONS & {*path.relative_to(ROOT).with_suffix("").parts}:
            operated += lines_of_code(path)
        else:
            served += lines_of_code(path)

    assert served <= LINE_BUDGETS[package][0]
    assert operated <= LINE_BUDGETS[package][1]
    assert [path.name for path in sources(package) if len(path.read_text().splitlines()) > LONGEST_FILE] == []
