"""The services of the last release run on these `ops` and `events` after the steps of docs/upgrading.md."""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack
from pathlib import Path

import ops
from tests.last_release import FILE, unpack_last_release
from tests.processes import ROOT, Service, Stack, database, manage, stop_all

SECTION = re.search(r"^## To .+?(?=^## |\Z)", (ROOT / "docs" / "upgrading.md").read_text(), re.MULTILINE | re.DOTALL)


def replaced() -> list[tuple[str, str, str]]:
    """Return the files, and what to replace in each, from the table of the newest section."""
    assert SECTION is not None
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", SECTION[0], re.MULTILINE)
    return [(file, before, after.replace("; ", "\n")) for file, before, after in rows]


def upgraded(folder: Path) -> Path:
    """Unpack the last release, and do the steps of the page."""
    root = unpack_last_release(folder)
    for package in ("ops", "events"):
        shutil.rmtree(root / package)
        shutil.copytree(ROOT / package, root / package)
    for file, before, after in replaced():
        text = (root / file).read_text()
        assert before in text, file
        (root / file).write_text(text.replace(before, after))
    return root


def test_the_page_begins_with_the_version_of_the_code() -> None:
    assert SECTION is not None
    released = re.search(r'^version = "(.+)"', FILE.read_text(), re.MULTILINE)
    assert released is not None
    assert SECTION[0].startswith(f"## To {ops.__version__.partition('.dev')[0]} from {released[1]}\n")


def test_the_services_of_the_last_release_take_an_order_after_the_documented_steps(tmp_path: Path) -> None:
    root = upgraded(tmp_path / "release")
    with ExitStack() as stack:
        urls = {
            project: stack.enter_context(database(tmp_path, project))
            for project in ("products_project", "orders_project")
        }
        for project, url in urls.items():
            for command in (("check", "--fail-level", "WARNING"), ("migrate", "--verbosity", "0")):
                done = manage(project, *command, env={"DATABASE_URL": url}, root=root)
                assert done.returncode == 0, done.stdout + done.stderr
        seeded = manage("products_project", "seed_products", env={"DATABASE_URL": urls["products_project"]}, root=root)
        assert seeded.returncode == 0, seeded.stderr
        products = Service("products_project", tmp_path, {"DATABASE_URL": urls["products_project"]}, root=root)
        env = {"DATABASE_URL": urls["orders_project"], "PRODUCTS_SERVICE_URL": products.url}
        orders = Service("orders_project", tmp_path, env, root=root)
        stack.callback(stop_all, products, orders)
        products.start()
        orders.start()

        answer = Stack(products, orders).place_order()

        assert (answer.status_code, answer.json()["status"]) == (201, "confirmed"), answer.text
