"""The last release and this code serve one order's life together, on this schema, as during a deploy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.last_release import migrations_of, unpack_last_release
from tests.processes import ROOT, Service, database, manage, prepared_database, stop_all

UNTRACKED, TRACKED = 1, 2
TOKEN = "a-token-for-tests-only-0123456789-abcdefgh"
# The services of an app whose folder does not name one; an app of ops is in both.
PROJECTS = {"outbox": ["orders_project"], "inbox": ["products_project"]}
DOCUMENTS = ROOT / "docs" / "openapi"


@dataclass
class Release:
    """The services of one release; orders calls the products of the other one."""

    products: Service
    orders: Service

    def place(self, product_id: int, quantity: int, key: str) -> requests.Response:
        return requests.post(
            f"{self.orders.url}/orders",
            json={"productId": product_id, "quantity": quantity},
            headers={"Idempotency-Key": f'"{key}"'},
            timeout=30,
        )

    def order_of(self, product_id: int, quantity: int, key: str) -> dict[str, Any]:
        answer = self.place(product_id, quantity, key)
        assert answer.status_code == 201, answer.text
        order: dict[str, Any] = answer.json()
        assert order["status"] == "confirmed"
        return order

    def relay(self, products: Service, count: int) -> None:
        """Send the waiting events by this release's relay."""
        env = self.orders.env | {"EVENTS_URL": f"{products.url}/events"}
        done = manage("orders_project", "relay_events", "--once", env=env, root=self.orders.root)
        assert done.stdout == f"Sent {count} events.\n", done.stderr

    def sold(self, product_id: int) -> int:
        return int(requests.get(f"{self.products.url}/products/{product_id}/stats", timeout=30).json()["unitsSold"])


@dataclass
class Deploy:
    """Both releases on the same two databases, which this code has migrated."""

    old: Release
    new: Release


@pytest.fixture
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    roots = (unpack_last_release(tmp_path_factory.mktemp("last-release")), ROOT)
    directory = tmp_path_factory.mktemp("deploy")
    with ExitStack() as stack:
        shop, orders_shop = (
            {"DATABASE_URL": stack.enter_context(database(directory, project, like=prepared_database(project)))}
            for project in ("products_project", "orders_project")
        )
        for env in (shop, orders_shop):
            env["SERVICE_TOKEN"] = TOKEN  # as an operator of the last release has it; this release accepts it too
        stocked = manage("products_project", "set_stock", str(TRACKED), "50", env=shop)
        assert stocked.returncode == 0, stocked.stderr
        products = [Service("products_project", directory, shop, root=root) for root in roots]
        orders = [
            Service("orders_project", directory, orders_shop | {"PRODUCTS_SERVICE_URL": other.url}, root=root)
            for root, other in zip(roots, reversed(products), strict=True)
        ]
        stack.callback(stop_all, *products, *orders)
        for service in (*products, *orders):
            service.start(ready_within=0)
        for service in (*products, *orders):
            service.wait_until_ready(60)
        yield Deploy(*(Release(*services) for services in zip(products, orders, strict=True)))


def test_the_last_release_and_this_code_share_a_deploy_and_the_way_back(deploy: Deploy) -> None:
    assert_each_serves_its_documents(deploy)
    assert_orders_live(deploy.old, deploy.new)
    assert_orders_live(deploy.new, deploy.old)
    deploy.new.order_of(UNTRACKED, 1, uuid4().hex)  # its event waits through the way back

    go_back(deploy)

    before = deploy.old.sold(UNTRACKED)
    deploy.old.order_of(UNTRACKED, 2, uuid4().hex)
    deploy.old.relay(deploy.old.products, 2)
    assert deploy.old.sold(UNTRACKED) == before + 3


def assert_each_serves_its_documents(deploy: Deploy) -> None:
    for folder, release in ((DOCUMENTS / "released", deploy.old), (DOCUMENTS, deploy.new)):
        for service in (release.products, release.orders):
            document = requests.get(f"{service.url}/openapi.json", timeout=30).json()
            file = folder / f"{service.project.removesuffix('_project')}.json"
            assert json.loads(file.read_text("utf-8")) == document, file


def assert_orders_live(release: Release, other: Release) -> None:
    """Place orders with a release, whose products are the other one's; replay and relay them with the other one."""
    key, before = uuid4().hex, [release.sold(product_id) for product_id in (UNTRACKED, TRACKED)]

    orders = [release.order_of(UNTRACKED, 2, key), release.order_of(TRACKED, 3, f"{key}-tracked")]
    refused = release.place(TRACKED, 1_000, f"{key}-refused")
    replayed = [other.order_of(UNTRACKED, 2, key), other.order_of(TRACKED, 3, f"{key}-tracked")]
    refused_again = other.place(TRACKED, 1_000, f"{key}-refused")
    other.relay(release.products, 2)

    assert replayed == orders
    for answer in (refused, refused_again):
        assert (answer.status_code, answer.json()["code"]) == (409, "out_of_stock")
    for side in (release, other):
        assert [side.sold(product_id) for product_id in (UNTRACKED, TRACKED)] == [before[0] + 2, before[1] + 3]


def go_back(deploy: Deploy) -> None:
    """Stop this code, undo the migrations that the last release lacks, and let it serve alone."""
    stop_all(deploy.new.products, deploy.new.orders)
    old, new = migrations_of(deploy.old.orders.root), migrations_of(ROOT)
    services = {service.project: service for service in (deploy.new.products, deploy.new.orders)}
    for folder in (folder for folder, names in new.items() if names != old.get(folder)):
        package, label = folder.split("/")
        target = old[folder][-1] if folder in old else "zero"
        for project in PROJECTS.get(label) or [name for name in services if name == package] or services:
            done = manage(project, "migrate", label, target, env=services[project].env)
            assert done.returncode == 0, done.stderr
    deploy.old.orders.stop()
    deploy.old.orders.env |= {"PRODUCTS_SERVICE_URL": deploy.old.products.url}
    deploy.old.orders.start()
