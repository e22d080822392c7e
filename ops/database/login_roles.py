"""The two login roles of a service in PostgreSQL, used in turn: one serves while the other gets a new password.

The second one is a member of the first one, which has the rights.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

SECOND = "_2"
LONGEST_NAME = 63  # bytes; PostgreSQL cuts off the others


def other_role(role: str) -> str:
    """Return the name of the role that is used in turn with this one."""
    return role.removesuffix(SECOND) if role.endswith(SECOND) else f"{role}{SECOND}"


def sessions_of(connection: BaseDatabaseWrapper, role: str) -> int:
    """Return how many sessions of the server have logged in as this role."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [role])
        return int(cursor.fetchone()[0])


def unlock_role(connection: BaseDatabaseWrapper, role: str, *, like: str, password: str) -> None:
    """Let the role log in with this password, and do in this database what the role `like` may."""
    name, other = connection.ops.quote_name(role), connection.ops.quote_name(like)
    with connection.cursor() as cursor:
        if not role_exists(connection, role):
            cursor.execute(f"CREATE ROLE {name} IN ROLE {other}")
        # Encrypted here, as the server may log statements.
        secret = connection.connection.pgconn.encrypt_password(password.encode(), role.encode())
        cursor.execute(f"ALTER ROLE {name} LOGIN PASSWORD %s", [secret.decode()])


def are_related(connection: BaseDatabaseWrapper, role: str, other: str) -> bool:
    """Tell whether one of the roles is a member of the other one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_has_role(%s, %s, 'MEMBER') OR pg_has_role(%s, %s, 'MEMBER')", [role, other, other, role]
        )
        return bool(cursor.fetchone()[0])


def lock_role(connection: BaseDatabaseWrapper, role: str) -> None:
    """Refuse the role's next logins; a member keeps the rights that it has from it."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {connection.ops.quote_name(role)} NOLOGIN PASSWORD NULL")


def role_exists(connection: BaseDatabaseWrapper, role: str) -> bool:
    """Tell whether the server has this role."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        return cursor.fetchone() is not None
