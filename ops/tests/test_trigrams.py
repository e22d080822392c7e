"""The database's owner builds the index of a search, without being a superuser; others read what is missing."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import ProgrammingError, connection

from ops.database.trigrams import TrigramIndex

pytestmark = pytest.mark.django_db

index = TrigramIndex(name="group_name_trigrams", table="auth_group", column="name")


def become(rights: str) -> None:
    """Go on as a role with only these rights, until the test ends."""
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION IF EXISTS pg_trgm CASCADE")
        cursor.execute("CREATE ROLE argos_plain_role")
        cursor.execute(f"GRANT {rights} TO argos_plain_role")
        cursor.execute("ALTER TABLE auth_group OWNER TO argos_plain_role")
        cursor.execute("SET LOCAL ROLE argos_plain_role")


def test_a_role_that_may_not_create_the_extension_reads_what_to_do() -> None:
    if connection.vendor == "sqlite":
        return index.create(apps, connection.schema_editor())
    become("USAGE ON SCHEMA public")

    with pytest.raises(ProgrammingError, match="run CREATE EXTENSION pg_trgm there, then migrate again"):
        index.create(apps, connection.schema_editor())
    return None


def test_a_server_without_icu_is_named() -> None:
    if connection.vendor == "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_collation SET collname = 'hidden' WHERE collname = 'und-x-icu'")

    with pytest.raises(ProgrammingError, match="Take a server with ICU"):
        index.create(apps, connection.schema_editor())


@pytest.mark.django_db(transaction=True)
def test_a_new_index_has_statistics_so_that_it_is_chosen() -> None:
    if connection.vendor == "sqlite":
        return
    Group.objects.create(name="chair")
    with connection.schema_editor(atomic=False) as editor:
        index.create(apps, editor)
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM pg_stats WHERE tablename = 'group_name_trigrams'")
            assert cursor.fetchone() == (1,)
        index.drop(apps, editor)


def test_the_right_to_create_in_the_database_is_enough_for_the_extension() -> None:
    if connection.vendor == "sqlite":
        return index.drop(apps, connection.schema_editor())
    become(f'CREATE ON DATABASE "{connection.settings_dict["NAME"]}"')
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("GRANT CREATE ON SCHEMA public TO argos_plain_role")
        cursor.execute("SET LOCAL ROLE argos_plain_role")
        cursor.execute("CREATE EXTENSION pg_trgm")
        cursor.execute("SELECT extowner::regrole::text FROM pg_extension WHERE extname = 'pg_trgm'")
        assert cursor.fetchone() == ("argos_plain_role",)
    return None
