"""Access the database of orders directly, as another program would."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg

STORE_ON_SQLITE = """
    WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < {count})
    INSERT INTO orders_order (product_id, product_name, quantity, created_at)
    SELECT 1, 'Quantum Laptop', 1, strftime('%Y-%m-%d %H:%M:%f', '2024-01-01', i || ' seconds') FROM number
"""
STORE_ON_POSTGRESQL = """
    INSERT INTO orders_order (product_id, product_name, quantity, created_at)
    SELECT 1, 'Quantum Laptop', 1, timestamptz '2024-01-01' + i * interval '1 second' FROM generate_series(1, {count}) i
"""
OLD = "SELECT count(*) FROM orders_order WHERE created_at < '2025-01-01'"


def execute(url: str, statement: str) -> list[Any]:
    """Run one statement and return its rows."""
    if url.startswith("sqlite:///"):
        database = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
        try:
            rows = database.execute(statement).fetchall()
            database.commit()
        finally:
            database.close()
        return rows
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def store_old_orders(url: str, count: int) -> None:
    """Store this number of orders of January 2024, a second apart."""
    statement = STORE_ON_SQLITE if url.startswith("sqlite") else STORE_ON_POSTGRESQL
    execute(url, statement.format(count=count))


def old_orders(url: str) -> int:
    """Count the orders from before 2025."""
    return int(execute(url, OLD)[0][0])
