"""retire_product takes a product off sale, and puts it back, without deleting anything."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from ops.tests.clients import anonymous, staff
from ops.tests.problem_shape import assert_problem
from ops.tests.run_command import run
from products_project.products.management.commands.retire_product import Command
from products_project.products.models import Product
from products_project.products.seeding.rows import Row
from products_project.products.services.catalogue import built_in_products, retire_product, seed_products

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_products(rows=built_in_products())


def listed() -> list[int]:
    return [product["id"] for product in anonymous().get("/products").json()["results"]]


def test_a_retired_product_is_gone_for_clients_and_kept_in_the_database() -> None:
    assert run(Command(), "2") == (0, "Product 2 is off sale.\n", "")

    assert_problem(anonymous().get("/products/2"), 404, "not_found")
    assert listed() == [1]
    assert anonymous().get("/products?search=neutrino").json()["results"] == []
    assert Product.objects.get(pk=2).name == "Neutrino Keyboard"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_it_is_not_found_for_staff_either(method: str) -> None:
    retire_product(product_id=2)

    answer = staff().generic(method, "/products/2", '{"name": "Chair"}', content_type="application/json")

    assert_problem(answer, 404, "not_found")
    assert Product.objects.get(pk=2).name == "Neutrino Keyboard"


def test_undo_puts_it_on_sale_again_as_it_was() -> None:
    run(Command(), "2")

    assert run(Command(), "2", "--undo") == (0, "Product 2 is on sale again.\n", "")

    assert anonymous().get("/products/2").json() == {"id": 2, "name": "Neutrino Keyboard"}
    assert listed() == [1, 2]


def test_a_second_run_changes_nothing() -> None:
    run(Command(), "2")
    since = Product.objects.get(pk=2).retired_at

    assert run(Command(), "2") == (0, "Product 2 is off sale already; nothing to change.\n", "")
    assert Product.objects.get(pk=2).retired_at == since
    assert run(Command(), "1", "--undo") == (0, "Product 1 is on sale already; nothing to change.\n", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["1"], "Would take product 1 off sale. Nothing was changed."),
        (["1", "--undo"], "Product 1 is on sale already; nothing to change."),
        (["2"], "Product 2 is off sale already; nothing to change."),
        (["2", "--undo"], "Would put product 2 on sale again. Nothing was changed."),
    ],
)
def test_a_dry_run_says_what_would_happen_and_changes_nothing(options: list[str], said: str) -> None:
    retire_product(product_id=2)

    assert run(Command(), *options, "--dry-run") == (0, f"{said}\n", "")
    assert listed() == [1]


@pytest.mark.parametrize("options", [[], ["--undo"], ["--dry-run"]])
@pytest.mark.parametrize("product_id", ["3", "0", "9" * 30])
def test_a_product_that_does_not_exist_is_a_failure(product_id: str, options: list[str]) -> None:
    assert run(Command(), product_id, *options) == (1, "", f"Product {product_id} does not exist.\n")


def test_json_counts_what_was_changed() -> None:
    first, second = json.loads(run(Command(), "2", "--json")[1]), json.loads(run(Command(), "2", "--json")[1])

    assert first["counts"] == {"changed": 1, "unchanged": 0}
    assert first["dryRun"] is False
    assert second["counts"] == {"changed": 0, "unchanged": 1}


def test_seeding_renames_a_retired_product_and_keeps_it_retired() -> None:
    retire_product(product_id=2)

    seed_products(rows=[Row(1, 2, "Photon Keyboard")])

    product = Product.objects.get(pk=2)
    assert product.name == "Photon Keyboard"
    assert product.retired_at is not None


def test_the_release_before_inserts_products_that_are_on_sale() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO products_product (id, name) VALUES (7, 'Lamp')")

    assert anonymous().get("/products/7").status_code == 200


def test_the_admin_shows_retired_products_and_filters_by_them() -> None:
    retire_product(product_id=2)
    client, path = staff(), "/admin/products/product/"

    def shown(query: str) -> tuple[bool, bool]:
        page = client.get(f"{path}{query}").content.decode()
        return "Quantum Laptop" in page, "Neutrino Keyboard" in page

    assert shown("") == (True, True)
    assert shown("?sale=on") == (True, False)
    assert shown("?sale=retired") == (False, True)
    assert shown("?sale=nonsense") == (True, True)
    assert client.get(f"{path}2/change/").status_code == 200


def test_one_product_is_found_by_its_key() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # it would scan a table of two rows
            cursor.execute("SET LOCAL enable_seqscan = off")

    plan = Product.objects.filter(retired_at=None, pk=1).explain()

    assert "products_product_pkey" in plan or "USING INTEGER PRIMARY KEY" in plan
