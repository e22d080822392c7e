"""The commands of the services keep to the conventions of ops.cli, and CONTRIBUTING's sample is a command."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, clean_environment

PACKAGES = {"products_project": ("ops", "events/inbox"), "orders_project": ("ops", "events/outbox")}


def commands(project: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the name and the bases of each command of a service."""
    folders = [ROOT / package for package in (*PACKAGES[project], project)]
    for path in (path for folder in folders for path in folder.rglob("management/commands/*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name == "Command":
                yield path.stem, {base.id for base in node.bases if isinstance(base, ast.Name)}


def workers(project: str) -> set[str]:
    """Return the commands that manage.py names as workers."""
    (call,) = (
        node
        for node in ast.walk(ast.parse((ROOT / project / "manage.py").read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "main"
    )
    (named,) = (keyword.value for keyword in call.keywords if keyword.arg == "workers")
    found: set[str] = ast.literal_eval(named)
    return found


@pytest.mark.parametrize("project", PACKAGES)
def test_manage_py_names_the_commands_that_loop(project: str) -> None:
    loops = {name for name, bases in commands(project) if "LoopCommand" in bases}

    assert workers(project) == loops != set()


@pytest.mark.parametrize("project", PACKAGES)
def test_every_purge_has_the_one_base(project: str) -> None:
    purges = {name: bases for name, bases in commands(project) if name.startswith("purge_")}

    assert len(purges) >= 2
    assert set(map(frozenset, purges.values())) == {frozenset({"PurgeCommand"})}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the products service with the command of CONTRIBUTING in it."""
    for package in ("ops", "events", "products_project"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    samples = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M)
    for name, source in samples:
        (tmp_path / name).write_text(source)
    assert [name for name, _ in samples][-1].endswith("rename_product.py")
    return tmp_path


def test_the_sample_of_contributing_is_a_command_that_works(copy: Path) -> None:
    env = clean_environment({"DATABASE_URL": f"sqlite:///{copy}/products.sqlite3"})

    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, str(copy / "products_project" / "manage.py"), *arguments]
        return subprocess.run(program, env=env, capture_output=True, text=True, timeout=120, check=False)

    assert manage("migrate").returncode == 0
    assert manage("seed_products").returncode == 0

    foreseen = manage("rename_product", "1", "Quantum Laptop 2", "--dry-run")
    done = manage("rename_product", "1", "Quantum Laptop 2")
    exported = manage("export_products")

    assert (foreseen.returncode, foreseen.stdout) == (0, "Renamed 1 products.\n")
    assert (done.returncode, done.stdout) == (0, "Renamed 1 products.\n")
    assert "1,Quantum Laptop 2" in exported.stdout
