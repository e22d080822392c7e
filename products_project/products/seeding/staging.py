"""Load products through a temporary table: read and judged whole before the first product changes.

So a bad row anywhere changes nothing, the products are locked for the merge only, not while the file is read, and
memory stays bounded by one batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

from products_project.products.models import Product
from products_project.products.seeding.rows import BadRow, Row

TABLE = Product._meta.db_table  # noqa: SLF001 - Django's documented API for a model's names

CREATE = "CREATE TEMPORARY TABLE seeding (id bigint NOT NULL, name text NOT NULL, line bigint NOT NULL)"
DROP = "DROP TABLE IF EXISTS seeding"
ADD_ON_POSTGRESQL = "INSERT INTO seeding SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[])"
ADD_ON_SQLITE = (
    "INSERT INTO seeding SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') "
    "FROM json_each(%s)"
)
REPEATED = (
    "SELECT id, MIN(line), MAX(line), COUNT(*) OVER () FROM seeding GROUP BY id HAVING COUNT(*) > 1 "
    "ORDER BY MAX(line) LIMIT %s"
)
# Writers wait until the merge is committed, readers do not: the counts are exact, two runs at once cannot deadlock,
# and no other insert can draw a number from the sequence that is about to be advanced.
LOCK_ON_POSTGRESQL = f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE"
COUNT = f"""
    SELECT COUNT(*), COUNT(known.id), COUNT(CASE WHEN known.name <> seeding.name THEN 1 END)
    FROM seeding LEFT JOIN {TABLE} AS known ON known.id = seeding.id
"""  # noqa: S608 - the name of the model's own table
MERGE = f"""
    INSERT INTO {TABLE} (id, name) SELECT id, name FROM seeding WHERE true ORDER BY id
    ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE {TABLE}.name <> excluded.name
"""  # noqa: S608 - likewise; SQLite needs the WHERE to tell ON CONFLICT from a join's ON
ADVANCE_ON_POSTGRESQL = f"""
    SELECT setval(sequence, GREATEST((SELECT MAX(id) FROM {TABLE}), pg_sequence_last_value(sequence)))
    FROM (SELECT pg_get_serial_sequence('{TABLE}', 'id')::regclass AS sequence) AS own
"""  # noqa: S608 - likewise; without this, the admin's next insert would draw a number that is taken
# Until it is told, PostgreSQL takes retired_at, which is null, for mostly not null: a page from the middle of a million
# products, asked for by their ids, then sorts the rest of the table.
ANALYZE_ON_POSTGRESQL = f"ANALYZE {TABLE} (id, retired_at)"


@dataclass(frozen=True)
class Seeding:
    """What a run did, or would do."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    @property
    def total(self) -> int:
        return self.created + self.updated + self.unchanged


@contextmanager
def staging_table() -> Iterator[None]:
    """Keep an empty staging table for this connection."""
    _execute(DROP)
    _execute(CREATE)
    try:
        yield
    finally:
        if connection.is_usable():
            _execute(DROP)


def add(rows: Sequence[Row]) -> None:
    """Put one batch into the staging table."""
    if connection.vendor == "postgresql":
        _execute(ADD_ON_POSTGRESQL, [row.id for row in rows], [row.name for row in rows], [row.line for row in rows])
    else:
        _execute(ADD_ON_SQLITE, json.dumps([(row.id, row.name, row.line) for row in rows]))


def repeated_ids(at_most: int) -> tuple[int, list[BadRow]]:
    """Return how many ids stand on several lines, and the first of them."""
    with connection.cursor() as cursor:
        cursor.execute(REPEATED, [at_most])
        found = cursor.fetchall()
    bad = [BadRow(last, "id", f"{product_id} is already on line {first}") for product_id, first, last, _ in found]
    return (found[0][3] if found else 0), bad


def count() -> Seeding:
    """Compare the staging table with the products."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT)
        total, known, updated = cursor.fetchone()
    return Seeding(created=total - known, updated=updated, unchanged=known - updated)


def merge() -> Seeding:
    """Create and update the products within the caller's transaction."""
    on_postgresql = connection.vendor == "postgresql"
    if on_postgresql:
        _execute(LOCK_ON_POSTGRESQL)
    seeding = count()
    if seeding.created or seeding.updated:
        _execute(MERGE)
    if seeding.created and on_postgresql:
        _execute(ADVANCE_ON_POSTGRESQL)
        _execute(ANALYZE_ON_POSTGRESQL)
    return seeding


def _execute(statement: str, *parameters: str | list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(parameters))
