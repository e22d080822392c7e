"""A database of PostgreSQL with the roles that the stack's script makes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

from tests.processes import ROOT, clean_environment, manage

SERVER = os.environ.get("TEST_DATABASE_URL", "")
PASSWORD = "it's a \\ password"


@dataclass(frozen=True)
class Database:
    """A database with the roles that the image's script has made."""

    name: str
    admin: str

    def url(self, role: str, password: str = "it%27s%20a%20%5C%20password") -> str:
        parts = urlsplit(SERVER)
        return urlunsplit(
            parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}", path=f"/{self.name}")
        )

    @property
    def service_url(self) -> str:
        return self.url(self.name)

    @property
    def owner_url(self) -> str:
        return self.url(f"{self.name}_owner")

    def run(self, statement: str) -> None:
        with psycopg.connect(self.service_url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def database_with_roles(service: str) -> Iterator[Database]:
    """Run the script as the image does, as a superuser of the test's own."""
    database = Database(f"{service}_{uuid4().hex[:8]}", admin=f"admin_{uuid4().hex[:8]}")
    server, literal = urlsplit(SERVER), "'it''s a \\ password'"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {database.admin} SUPERUSER LOGIN PASSWORD {literal}")
        connection.execute(f"CREATE DATABASE {database.name}")
        try:
            env = {"POSTGRES_USER": database.admin, "POSTGRES_DB": database.name}
            env |= {"PGHOST": str(server.hostname), "PGPORT": str(server.port)}
            env |= {"SERVICE_PASSWORD": PASSWORD, "POSTGRES_PASSWORD": PASSWORD}
            subprocess.run([ROOT / "postgresql/make-roles.sh"], env=clean_environment(env), check=True, timeout=60)
            yield database
        finally:
            connection.execute(f"DROP DATABASE {database.name} WITH (FORCE)")
            for role in (f"{database.name}_2", database.name, f"{database.name}_owner", database.admin):
                with suppress(psycopg.errors.UndefinedObject):
                    connection.execute(f"DROP ROLE {role}")


@contextmanager
def migrated_database(service: str) -> Iterator[Database]:
    """Yield a database that the owner has migrated."""
    with database_with_roles(service) as database:
        env = {"DATABASE_URL": database.service_url, "DATABASE_DIRECT_URL": database.owner_url}
        done = manage(f"{service}_project", "migrate", env=env)
        assert done.returncode == 0, done.stderr
        yield database
