"""Each service works with the two roles of its database: one that migrates, and one that owns nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from ops.tests.service_tokens import key_pair
from tests.database_roles import SERVER, Database, database_with_roles, migrated_database
from tests.processes import Service, manage, stop_all
from tests.staff import staff_session

pytestmark = pytest.mark.skipif(not SERVER, reason="needs PostgreSQL: TEST_DATABASE_URL")


@pytest.fixture(scope="module")
def databases() -> Iterator[dict[str, Database]]:
    with migrated_database("products") as products, migrated_database("orders") as orders:
        yield {"products": products, "orders": orders}


def test_the_services_and_their_commands_need_no_more(databases: dict[str, Database], tmp_path: Path) -> None:
    products = Service("products_project", tmp_path, {"DATABASE_URL": databases["products"].service_url})
    orders_env = {"DATABASE_URL": databases["orders"].service_url, "PRODUCTS_SERVICE_URL": products.url}
    orders = Service("orders_project", tmp_path, orders_env)
    seeded = manage("products_project", "seed_products", env=products.env)
    try:
        products.start()
        orders.start()
        renamed = staff_session(products).patch(f"{products.url}/products/1", json={"name": "Lamp"}, timeout=30)
        placed = requests.post(f"{orders.url}/orders", json={"productId": 1, "quantity": 2}, timeout=30)
    finally:
        stop_all(products, orders)
    purged = manage("orders_project", "purge_orders", "--older-than", "1d", "--yes", env=orders.env)
    asked = manage("orders_project", "doctor", env=orders.env)

    assert seeded.returncode == 0, seeded.stderr
    assert renamed.status_code == 200
    assert placed.status_code == 201
    assert purged.returncode == 0, purged.stderr
    assert "failure  database" not in asked.stdout


def test_the_owner_backs_up_and_restores_what_the_service_reads(databases: dict[str, Database], tmp_path: Path) -> None:
    owner = {"DATABASE_URL": databases["products"].owner_url}

    backed_up = manage("products_project", "backup", "--to", str(tmp_path), "--verify", env=owner)
    (file,) = tmp_path.iterdir()
    restored = manage("products_project", "restore", str(file), "--yes", env=owner)

    assert backed_up.returncode == 0, backed_up.stderr
    assert restored.returncode == 0, restored.stderr
    databases["products"].run("UPDATE products_product SET name = name")


def test_doctor_warns_of_a_superuser_in_production(databases: dict[str, Database]) -> None:
    database = databases["products"]
    env = {"DJANGO_ENV": "production", "DATABASE_URL": database.service_url, **key_pair("products-service")}

    asked = [manage("products_project", "doctor", env=env).stdout]
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {database.name} SUPERUSER")
        asked.append(manage("products_project", "doctor", env=env).stdout)
        connection.execute(f"ALTER ROLE {database.name} NOSUPERUSER")

    assert re.search("ok +database.sessions", asked[0]), asked[0]
    assert re.search("warning +database.sessions +the role of DATABASE_URL is a superuser", asked[1]), asked[1]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE products_product",
        "ALTER TABLE products_product ADD COLUMN more integer",
        "CREATE TABLE more (id integer)",
        "TRUNCATE products_product",
        "CREATE ROLE another",
        "CREATE DATABASE another",
        "COPY products_product TO PROGRAM 'cat'",
    ],
)
def test_the_service_may_do_nothing_else(databases: dict[str, Database], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        databases["products"].run(statement)


def test_a_service_does_not_reach_the_database_of_another(databases: dict[str, Database]) -> None:
    other = databases["orders"].url(databases["products"].name)

    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(other)


def test_the_superuser_has_no_password_afterwards() -> None:
    with database_with_roles("products") as database, psycopg.connect(SERVER) as connection:
        found = connection.execute(
            "SELECT rolname, rolsuper FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname IN (%s, %s, %s)",
            [database.name, f"{database.name}_owner", database.admin],
        ).fetchall()

    assert dict(found) == {database.name: False, f"{database.name}_owner": False}
