"""The arrows of docs/architecture.md: allowed imports, and limits of size."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.processes import PROJECTS, ROOT

SERVICES = tuple(PROJECTS)
PACKAGES = ("ops", "events", *SERVICES)
ARROWS_BETWEEN_PACKAGES = {"ops": set(), "events": {"ops"}} | {name: {"ops", "events"} for name in SERVICES}
# Each shelf of ops and the shelves that it may import. A module at the top of ops is its own shelf.
SHELVES: dict[str, set[str]] = {
    "background": set(),
    "config": set(),
    "startup": {"config"},
    "testing": set(),
    "turns": set(),
    "development": {"config", "turns"},
    "telemetry": {"background", "config", "development"},
    "identity": {"config", "telemetry", "outbound", "diagnosis", "turns"},
    "api": {"config", "telemetry", "database", "development", "identity", "turns"},
    "database": {"config", "telemetry", "turns"},
    "outbound": {"background", "config", "telemetry", "turns"},
    "settings": {"config", "telemetry", "database"},
    "diagnosis": {"background", "config", "telemetry", "database", "outbound", "settings"},
    "cli": {"config", "telemetry", "database", "outbound"},
    "manage": {"config", "telemetry", "cli"},
    "backups": {"config", "database", "cli", "settings"},
    "server": {"config", "telemetry", "api", "diagnosis", "turns", "manage", "settings", "startup"},
    "management": {"config", "telemetry", "database", "cli", "diagnosis", "identity", "backups"},
    "apps": {"config", "telemetry", "diagnosis", "startup", "testing"},
}
SERVING = {"background", "config", "telemetry", "api", "identity", "database", "outbound", "server", "turns"}
# Within a service: modules that receive requests or commands are not imported, and a leaf imports only leaves.
ENTRANCES = {"views", "urls", "admin", "apps", "management"}
LEAVES = {"models", "errors", "metrics", "fault_points"}
# Lines of code without blank lines, comments and docstrings. A shelf has a fifth of room; the sums are our aim.
SHELF_BUDGETS = {
    "background": 18,
    "config": 600,
    "telemetry": 1500,
    "api": 1150,
    "identity": 480,
    "database": 550,
    "outbound": 700,
    "server": 1375,
    "turns": 125,  # the wait for a peer within the poller of the clients
    "development": 445,  # it heals its file, and shows who calls whom
    "backups": 805,
    "cli": 875,  # the purges and the loops have their base here
    "management": 1000,  # with the evidence of twelve factors
    "diagnosis": 705,
    "testing": 69,
    "settings": 160,
    "startup": 34,
    "manage": 58,
    "apps": 14,
}
LINE_BUDGETS = dict.fromkeys(SERVICES, 1000) | {
    "ops": 10050,  # with the depth of JSON that Python 3.14 no longer limits, and prepared statements
    "events": 1700,
    "products_project": 1500,  # of the shop
    "orders_project": 1950,  # of the shop
}
SERVING_BUDGET = 6310
LONGEST_FILE = 300
VAGUE_NAMES = {"utils", "util", "helpers", "common", "misc", "base"}


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


def place(path: Path, package: str) -> str:
    """Return the shelf of ops, or the module of a service's app, that a file belongs to."""
    return path.relative_to(ROOT / package).with_suffix("").parts[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_know_only_what_their_arrows_allow(package: str) -> None:
    foreign = {other for other in PACKAGES if other != package} - ARROWS_BETWEEN_PACKAGES[package]

    found = [(path.name, name) for path in sources(package) for name in imports(path) if name.split(".")[0] in foreign]

    assert found == []


def test_every_shelf_of_ops_imports_only_shelves_below_it() -> None:
    found = set()
    for path in sources("ops"):
        shelf = place(path, "ops")
        for name in imports(path):
            other = f"{name}.".split(".")[1]
            if name.startswith("ops.") and other != shelf and other not in SHELVES.get(shelf, ()):
                found.add(f"{path.relative_to(ROOT)} imports {name}")

    assert sorted(found) == []


def test_the_shelves_of_ops_have_no_circle() -> None:
    TopologicalSorter(SHELVES).prepare()  # raises CycleError


def test_the_page_on_the_architecture_shows_the_shelves_and_their_arrows() -> None:
    section = (ROOT / "docs/architecture.md").read_text().partition("## The shelves of `ops`")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]

    assert {row[0].strip(" `"): set(re.findall(r"`(\w+)`", row[2])) for row in rows} == SHELVES


def app_modules(package: str) -> Iterator[tuple[Path, str, set[str]]]:
    """Yield each file of a service's app, its module, and the other modules of the app that it imports."""
    app = f"{package}/{package.removesuffix('_project')}"
    prefix = f"{app.replace('/', '.')}."
    for path in sources(app):
        module = place(path, app)
        yield (
            path,
            module,
            {name.removeprefix(prefix).split(".")[0] for name in imports(path) if name.startswith(prefix)},
        )


@pytest.mark.parametrize("package", SERVICES)
def test_nothing_in_a_service_imports_an_entrance(package: str) -> None:
    found = [
        (str(path), others & ENTRANCES)
        for path, module, others in app_modules(package)
        if module not in ENTRANCES and others & ENTRANCES
    ]

    assert found == []


@pytest.mark.parametrize("package", SERVICES)
def test_the_leaves_of_a_service_import_only_leaves(package: str) -> None:
    found = [
        (str(path), others - LEAVES)
        for path, module, others in app_modules(package)
        if module in LEAVES and others - LEAVES
    ]

    assert found == []


@pytest.mark.parametrize("package", SERVICES)
def test_serializers_and_selectors_know_no_use_case(package: str) -> None:
    found = [
        (str(path), others)
        for path, module, others in app_modules(package)
        if module in ("serializers", "selectors") and others & {"services", "lifecycle"}
    ]

    assert found == []


def test_one_module_talks_to_products() -> None:  # of the shop
    users = [path.name for path in sources("orders_project") for name in imports(path) if "outbound.client" in name]

    assert set(users) == {"products_client.py"}


@pytest.mark.parametrize("package", SERVICES)
def test_views_and_serializers_open_no_transaction(package: str) -> None:
    found = [
        path.name
        for path, module, _ in app_modules(package)
        if module in ("views", "serializers")
        for name in imports(path)
        if name.startswith("django.db.transaction")
    ]

    assert found == []


def test_files_are_named_after_their_job() -> None:
    engines = {
        ROOT / f"ops/database/{engine}/base.py" for engine in ("postgresql", "sqlite3")
    }  # Django asks for this name
    files = [path for package in (*PACKAGES, "tests") for path in sources(package) if path not in engines]
    found = [path for path in files if path.stem in VAGUE_NAMES]

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


def test_each_shelf_of_ops_stays_within_its_budget() -> None:
    lines: dict[str, int] = dict.fromkeys(SHELVES, 0)
    for path in sources("ops"):
        if path.name != "__init__.py":
            lines[place(path, "ops")] += lines_of_code(path)

    assert {shelf: count for shelf, count in lines.items() if count > SHELF_BUDGETS[shelf]} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_stay_small(package: str) -> None:
    assert sum(map(lines_of_code, sources(package))) <= LINE_BUDGETS[package]


def test_the_shelves_that_serve_a_request_stay_small() -> None:
    serving = [path for path in sources("ops") if place(path, "ops") in SERVING]

    assert sum(map(lines_of_code, serving)) <= SERVING_BUDGET


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_too_long_to_read_at_once(package: str) -> None:
    assert [path.name for path in sources(package) if len(path.read_text().splitlines()) > LONGEST_FILE] == []
