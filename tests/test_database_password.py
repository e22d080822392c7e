"""The password of a service's database is replaced under load, and no request is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from tests.database_roles import SERVER, Database, database_with_roles, migrated_database
from tests.processes import Service, manage, prepared_database, stop_all
from tests.processes import database as plain_database
from tests.replicas import Replicas

pytestmark = pytest.mark.skipif(not SERVER, reason="needs PostgreSQL: TEST_DATABASE_URL")


def rotate(database: Database, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command as the owner, beside this DATABASE_URL of the service."""
    env = {"DATABASE_URL": url, "DATABASE_DIRECT_URL": database.owner_url}
    return manage("orders_project", "rotate_database_password", *options, env=env)


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def role_of(url: str) -> str:
    return str(urlsplit(url).username)


def password_is_set(role: str) -> bool:
    with psycopg.connect(SERVER) as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role]).fetchone()
    assert row
    assert row[0] is None or row[0].startswith("SCRAM-SHA-256$")
    return row[0] is not None


@pytest.fixture
def database() -> Iterator[Database]:
    with database_with_roles("orders") as found:
        yield found


def test_the_password_is_replaced_twice_under_load_and_no_request_is_refused(tmp_path: Path) -> None:
    with ExitStack() as stack:
        database = stack.enter_context(migrated_database("orders"))
        shop = stack.enter_context(plain_database(tmp_path, "products", like=prepared_database("products_project")))
        products = Service("products_project", tmp_path, {"DATABASE_URL": shop})
        env = {"DATABASE_URL": database.service_url, "PRODUCTS_SERVICE_URL": products.url}
        services = [Service("orders_project", tmp_path, dict(env)) for _ in range(2)]
        stack.callback(stop_all, products, *services)
        for service in (products, *services):
            service.start()
        replicas = Replicas(services)

        def order(url: str) -> requests.Response:
            return requests.post(f"{url}/orders", json={"productId": 1, "quantity": 1}, timeout=30)

        with replicas.clients(order, lambda url: requests.get(f"{url}/readyz", timeout=30)):
            replicas.wait_for_more()
            urls = [database.service_url, succeeded(rotate(database, database.service_url))]
            too_early = rotate(database, urls[1], "--lock")
            for last in (False, True):
                replicas.replace_all(DATABASE_URL=urls[-1])
                succeeded(rotate(database, urls[-1], "--lock"))
                replicas.wait_for_more()
                with pytest.raises(psycopg.OperationalError, match=r"not permitted to log in|authentication failed"):
                    psycopg.connect(urls[-2])
                if not last:
                    urls.append(succeeded(rotate(database, urls[-1])))

    assert too_early.returncode == 1, too_early.stdout
    assert f"{database.name} has " in too_early.stderr
    assert set(replicas.answers) == {200, 201}
    assert [role_of(url) for url in urls] == [database.name, f"{database.name}_2", database.name]
    assert len({urlsplit(url).password for url in urls}) == 3


def test_it_prints_the_url_alone_and_leaves_the_serving_role_as_it_was(database: Database) -> None:
    foreseen = succeeded(rotate(database, database.service_url, "--dry-run"))
    nothing = succeeded(rotate(database, database.service_url, "--lock"))
    done = rotate(database, database.service_url, "--json")
    url = json.loads(succeeded(done))["databaseUrl"]

    assert foreseen == f"Would give {database.name}_2 a new password. Nothing was changed."
    assert nothing == f"Nothing to lock: {database.name}_2 does not exist."
    assert urlsplit(url)._replace(netloc="") == urlsplit(database.service_url)._replace(netloc="")
    assert str(urlsplit(url).password) not in done.stderr
    assert password_is_set(database.name)
    assert password_is_set(f"{database.name}_2")
    with psycopg.connect(database.service_url):
        pass
    with psycopg.connect(url) as connection:  # with the limits of a request, which a pooler would drop
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5s",)
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    assert succeeded(rotate(database, database.service_url, "--lock")) == f"{database.name}_2 cannot log in any more."
    assert not password_is_set(f"{database.name}_2")


def test_it_refuses_a_run_that_is_not_the_owners(database: Database, tmp_path: Path) -> None:
    as_service = manage("orders_project", "rotate_database_password", env={"DATABASE_URL": database.service_url})
    file = manage("orders_project", "rotate_database_password", env={"DATABASE_URL": f"sqlite:///{tmp_path}/o.sqlite3"})

    assert (as_service.returncode, file.returncode) == (2, 2)
    assert "DATABASE_DIRECT_URL the owner of its tables" in as_service.stderr
    assert file.stderr.splitlines()[-1] == "The database is a file, which has no password."
