"""The settings of a session of PostgreSQL. The session sets them as it starts; behind a pooler, its role has them.

A pooler in transaction mode gives each transaction any session, and refuses or drops what a client sets at its start.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.backends.base.base import BaseDatabaseWrapper

REQUEST_LOCK_TIMEOUT = 2_000  # milliseconds, as all that follows
REQUEST_IDLE_TIMEOUT = 30_000
COMMAND_LOCK_TIMEOUT = 20_000  # the same as the wait of a writer on SQLite
# The code depends on these settings, which a role or a database could change. Values are those of pg_settings.
STANDARD = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
}


def request_settings(statement_timeout: float) -> dict[str, str]:
    """Return the settings of a session that answers requests; `statement_timeout` is in seconds."""
    return STANDARD | {
        "statement_timeout": str(int(statement_timeout * 1000)),
        "lock_timeout": str(REQUEST_LOCK_TIMEOUT),
        "idle_in_transaction_session_timeout": str(REQUEST_IDLE_TIMEOUT),
    }


def command_settings() -> dict[str, str]:
    """Return the settings of a command's session: only the wait for another transaction's lock is bounded."""
    return STANDARD | {
        "statement_timeout": "0",
        "lock_timeout": str(COMMAND_LOCK_TIMEOUT),
        "idle_in_transaction_session_timeout": "0",
    }


def startup_options(settings: Mapping[str, str]) -> str:
    """Return libpq's `options` that start a session with these settings."""
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items())


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a pooler stands between: it gives its client another process id than the server's session has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (session,) = cursor.fetchone()
    return bool(session != connection.connection.info.backend_pid)


def differences(connection: BaseDatabaseWrapper, expected: Mapping[str, str]) -> dict[str, str]:
    """Map each setting that this session has otherwise to the value that it has."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(expected)])
        return {name: value for name, value in cursor.fetchall() if value != expected[name]}


def set_in_role(connection: BaseDatabaseWrapper, user: str, settings: Mapping[str, str]) -> list[str]:
    """Have each new session of the user in this database start with the settings; return the names of those changed."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole "
            "JOIN pg_database ON pg_database.oid = setdatabase WHERE rolname = %s AND datname = %s",
            [user, name],
        )
        present = {row[0] for row in cursor.fetchall()}
        changed = {setting: value for setting, value in settings.items() if f"{setting}={value}" not in present}
        role, database = connection.ops.quote_name(user), connection.ops.quote_name(name)
        for setting, value in changed.items():
            cursor.execute(f"ALTER ROLE {role} IN DATABASE {database} SET {setting} = %s", [value])
    return list(changed)
