"""Services go from SERVICE_TOKEN to keys of their own, and replace a key, under load; no request is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.processes import Service, database, manage, prepared_database, stop_all
from tests.replicas import Replicas

SHARED = {"SERVICE_TOKEN": "a-token-for-tests-only-0123456789-abcdefgh"}
TRACKED = 2


@dataclass
class Pair(Service):
    """A replica of orders and the replica of products that it alone calls. `replaced` are the next to start anew."""

    products: Service = field(kw_only=True)
    replaced: dict[str, Mapping[str, str]] = field(default_factory=dict)  # their changes, by project

    def stop(self, *args: Any, **kwargs: Any) -> int:
        if "products_project" in self.replaced:
            self.products.stop()
            self.products.env |= self.replaced["products_project"]
            self.products.start()
        return super().stop(*args, **kwargs) if "orders_project" in self.replaced else 0

    def start(self, *, ready_within: float = 60.0) -> Service:
        self.env |= self.replaced.get("orders_project", {})
        is_running = self.process is not None and self.process.poll() is None
        return self if is_running else super().start(ready_within=ready_within)


@dataclass
class Keys:
    """The files of the keys, as make_service_key makes them."""

    folder: Path

    def make(self, service: str, name: str) -> dict[str, str]:
        """Make a pair; return the variables of the service that has it."""
        options = ("--to", str(self.folder / name), "--add-to", str(self.folder / "service_keys"))
        manage(f"{service}_project", "make_service_key", *options, env={}).check_returncode()
        return {"SERVICE_KEY_FILE": str(self.folder / name), "SERVICE_KEYS_FILE": str(self.folder / "service_keys")}

    def forget(self, name: str) -> None:
        """Take the public key of this private key out of the set."""
        forgotten = json.loads((self.folder / name).read_text())["kid"]
        file = self.folder / "service_keys"
        keys = json.loads(file.read_text())["keys"]
        file.write_text(json.dumps({"keys": [key for key in keys if key["kid"] != forgotten]}))


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[Replicas]:
    with ExitStack() as stack:
        shop, orders_shop = (
            {"DATABASE_URL": stack.enter_context(database(tmp_path, project, like=prepared_database(project)))}
            for project in ("products_project", "orders_project")
        )
        manage("products_project", "set_stock", str(TRACKED), "100000", env=shop).check_returncode()
        pairs = []
        for _ in range(2):
            products = Service("products_project", tmp_path, shop | SHARED)
            env = orders_shop | SHARED | {"PRODUCTS_SERVICE_URL": products.url}
            pairs.append(Pair("orders_project", tmp_path, env, products=products))
            stack.callback(stop_all, products, pairs[-1])
        services = [service for pair in pairs for service in (pair, pair.products)]
        for service in services:
            service.start(ready_within=0)
        for service in services:
            service.wait_until_ready(60)
        yield Replicas(list(pairs))


def replace(replicas: Replicas, project: str, **changes: str) -> None:
    """Replace a service of every pair, with these changes of its variables."""
    for pair in replicas.services:
        assert isinstance(pair, Pair)
        pair.replaced = {project: changes}
    replicas.replace_all()


def test_the_upgrade_and_a_rotation_refuse_no_request(replicas: Replicas, tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    of_products, of_orders = keys.make("products", "products_key"), keys.make("orders", "orders_key")

    def order(url: str) -> requests.Response:
        return requests.post(f"{url}/orders", json={"productId": TRACKED, "quantity": 1}, timeout=30)

    with replicas.clients(order, order):
        replicas.wait_for_more()
        # The upgrade: the service that is called knows the keys; the caller shows its own; the shared token goes.
        replace(replicas, "products_project", **of_products)
        replace(replicas, "orders_project", **of_orders, SERVICE_TOKEN="")
        # A rotation: the others learn the next public key; the caller signs with it; they forget the last one.
        next_of_orders = keys.make("orders", "next_orders_key")
        replace(replicas, "products_project", SERVICE_TOKEN="")
        replace(replicas, "orders_project", **next_of_orders)
        keys.forget("orders_key")
        replace(replicas, "products_project")

    assert set(replicas.answers) == {201}
    for pair in replicas.services:
        assert isinstance(pair, Pair)
        lines = [line for line in pair.products.log_lines() if line.get("event") == "request.finished"]
        shown = [line["caller"] for line in lines if line["path"].startswith("/reservations/")]
        assert shown == sorted(shown, reverse=True)  # first "shared", then "orders-service"
        assert set(shown) == {"shared", "orders-service"}
        assert {line["status"] for line in lines} <= {200, 201}
