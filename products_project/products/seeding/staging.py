"""Load products through a temporary table: read and validated whole before the first product changes.

A bad row anywhere changes nothing. The products are locked for the merge only, not while the file is read, and memory
stays bounded by one batch. The columns are those of the projection PRODUCT. A row may leave some of them out; the merge
then leaves them as they are, or to the database's default.
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
from products_project.products.serializers import PRODUCT

TABLE = Product._meta.db_table  # noqa: SLF001 - Django's documented API for a model's names

# `given` names the columns that the row gives beside id and name.
CREATE = f"""
    CREATE TEMPORARY TABLE seeding AS
    SELECT {{columns}}, CAST('' AS text) AS given, CAST(0 AS bigint) AS line FROM {TABLE} WHERE 1 = 0
"""  # noqa: S608 - the name of the model's own table
DROP = "DROP TABLE IF EXISTS seeding"
ADD_ON_POSTGRESQL = "INSERT INTO seeding SELECT * FROM json_populate_recordset(NULL::seeding, %s::json)"
ADD_ON_SQLITE = "INSERT INTO seeding SELECT {values} FROM json_each(%s)"
GIVEN = "SELECT DISTINCT given FROM seeding"
REPEATED = (
    "SELECT id, MIN(line), MAX(line), COUNT(*) OVER () FROM seeding GROUP BY id HAVING COUNT(*) > 1 "
    "ORDER BY MAX(line) LIMIT %s"
)
# Writers wait until the merge is committed; readers do not. So the counts are exact, two runs at once cannot deadlock,
# and no other insert takes a number from the sequence before it is advanced.
LOCK_ON_POSTGRESQL = f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE"
COUNT = f"""
    SELECT COUNT(*), COUNT(known.id), COUNT(CASE WHEN known.id IS NOT NULL AND ({{known_differs}}) THEN 1 END)
    FROM seeding LEFT JOIN {TABLE} AS known ON known.id = seeding.id WHERE given = %s
"""  # noqa: S608 - the name of the model's own table
MERGE = f"""
    INSERT INTO {TABLE} (id, {{columns}}) SELECT id, {{columns}} FROM seeding WHERE given = %s ORDER BY id
    ON CONFLICT (id) DO UPDATE SET {{assignments}} WHERE {{differs}}
"""  # noqa: S608 - likewise
ADVANCE_ON_POSTGRESQL = f"""
    SELECT setval(sequence, GREATEST((SELECT MAX(id) FROM {TABLE}), pg_sequence_last_value(sequence)))
    FROM (SELECT pg_get_serial_sequence('{TABLE}', 'id')::regclass AS sequence) AS own
"""  # noqa: S608 - likewise; otherwise the admin's next insert would get a number in use
# Before an ANALYZE, PostgreSQL estimates that few values of retired_at are null. A page from the middle of a million
# products would then sort the rest of the table. A search for a rare word would read it. No columns are named, as
# PostgreSQL would then leave out the expression of the search's index.
ANALYZE_ON_POSTGRESQL = f"ANALYZE {TABLE}"


@dataclass(frozen=True)
class Seeding:
    """The products that a run created, updated or left unchanged, or would."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    @property
    def total(self) -> int:
        return self.created + self.updated + self.unchanged

    def __add__(self, other: Seeding) -> Seeding:
        return Seeding(self.created + other.created, self.updated + other.updated, self.unchanged + other.unchanged)


@contextmanager
def staging_table() -> Iterator[None]:
    """Create an empty staging table for this connection."""
    _execute(DROP)
    _execute(CREATE.format(columns=", ".join(PRODUCT.columns)))
    try:
        yield
    finally:
        if connection.is_usable():
            _execute(DROP)


def add(rows: Sequence[Row]) -> None:
    """Put one batch into the staging table."""
    batch = json.dumps([_staged(row) for row in rows], default=str)
    if connection.vendor == "postgresql":
        _execute(ADD_ON_POSTGRESQL, batch)
    else:
        names = (*PRODUCT.columns, "given", "line")
        _execute(ADD_ON_SQLITE.format(values=", ".join(f"json_extract(value, '$.{name}')" for name in names)), batch)


def _staged(row: Row) -> dict[str, Any]:
    staged = {"id": row.id, "name": row.name, "given": ",".join(row.more), "line": row.line}
    for column, value in row.more.items():
        model_field: Any = Product._meta.get_field(column)  # noqa: SLF001 - Django's documented API
        staged[column] = model_field.get_db_prep_save(value, connection)
    return staged


def repeated_ids(at_most: int) -> tuple[int, list[BadRow]]:
    """Return the number of ids on several lines, and the first of them."""
    found = _fetch(REPEATED, at_most)
    bad = [BadRow(last, "id", f"{product_id} is already on line {first}") for product_id, first, last, _ in found]
    return (found[0][3] if found else 0), bad


def count() -> Seeding:
    """Compare the staging table with the products."""
    seeding = Seeding()
    for given, columns in _groups():
        ((total, known, updated),) = _fetch(COUNT.format(known_differs=_differs("known", "seeding", columns)), given)
        seeding += Seeding(created=total - known, updated=updated, unchanged=known - updated)
    return seeding


def merge() -> Seeding:
    """Create and update the products within the caller's transaction."""
    on_postgresql = connection.vendor == "postgresql"
    if on_postgresql:
        _execute(LOCK_ON_POSTGRESQL)
    seeding = count()
    if seeding.created or seeding.updated:
        for given, columns in _groups():
            _execute(_merge_of(columns), given)
    if seeding.created and on_postgresql:
        _execute(ADVANCE_ON_POSTGRESQL)
        _execute(ANALYZE_ON_POSTGRESQL)
    return seeding


def _groups() -> list[tuple[str, list[str]]]:
    """Return the sets of columns that rows give, each as it is stored and as a list without the id."""
    return [(given, ["name", *filter(None, given.split(","))]) for (given,) in _fetch(GIVEN)]


def _merge_of(columns: Sequence[str]) -> str:
    return MERGE.format(
        columns=", ".join(columns),
        assignments=", ".join(f"{column} = excluded.{column}" for column in columns),
        differs=_differs(TABLE, "excluded", columns),
    )


def _differs(one: str, other: str, columns: Sequence[str]) -> str:
    comparison = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    return " OR ".join(f"{one}.{column} {comparison} {other}.{column}" for column in columns)


def _execute(statement: str, *parameters: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def _fetch(statement: str, *parameters: str | int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
