"""Call `settle_after` what it is for: `recover_after`, the moment from which recover_orders may take an order.

To rename a column is instant; its index and its CHECK follow. The release before still reads and writes `settle_after`
during a rolling deploy. On PostgreSQL a second column of that name therefore stays, and a trigger keeps the two in
step. An order without a reservation does not run it. The next release drops both. SQLite evaluates a CHECK before a
trigger could fill the column in, and knows no rolling deploy: stop orders before `migrate`.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import Q

RENAME_COLUMN = "ALTER TABLE orders_order RENAME COLUMN {} TO {}"
RENAME_INDEX = "ALTER INDEX IF EXISTS {} RENAME TO {}"
HAS_INDEX = "SELECT to_regclass('order_recover_after') IS NOT NULL"
ADD_OLD_NAME = "ALTER TABLE orders_order ADD COLUMN settle_after timestamptz NULL"
# It finds its few rows by the index. Where 0005 will build that, no release has written the column yet.
FILL_OLD_NAME = "UPDATE orders_order SET settle_after = recover_after WHERE recover_after IS NOT NULL"
KEEP_OLD_NAME = """
    CREATE FUNCTION orders_order_keep_settle_after() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            NEW.recover_after := COALESCE(NEW.recover_after, NEW.settle_after);
        ELSIF NEW.settle_after IS DISTINCT FROM OLD.settle_after THEN  -- the release before wrote it
            NEW.recover_after := NEW.settle_after;
        END IF;
        NEW.settle_after := NEW.recover_after;
        RETURN NEW;
    END $$;
    CREATE TRIGGER orders_order_inserted BEFORE INSERT ON orders_order FOR EACH ROW
        WHEN (NEW.recover_after IS NOT NULL OR NEW.settle_after IS NOT NULL)
        EXECUTE FUNCTION orders_order_keep_settle_after();
    CREATE TRIGGER orders_order_updated BEFORE UPDATE OF recover_after, settle_after ON orders_order FOR EACH ROW
        EXECUTE FUNCTION orders_order_keep_settle_after();
"""
DROP_OLD_NAME = """
    DROP TRIGGER orders_order_updated ON orders_order;
    DROP TRIGGER orders_order_inserted ON orders_order;
    DROP FUNCTION orders_order_keep_settle_after();
    ALTER TABLE orders_order DROP COLUMN settle_after;
"""
DROP_INDEX = "DROP INDEX {}"
CREATE_INDEX = "CREATE INDEX {0} ON orders_order ({1}) WHERE {1} IS NOT NULL"


def rename(apps: Any, schema_editor: Any) -> None:
    """Rename the column and its index, and keep the old name for the release before."""
    schema_editor.execute(RENAME_COLUMN.format("settle_after", "recover_after"))
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(RENAME_INDEX.format("order_settle_after", "order_recover_after"))
        schema_editor.execute(ADD_OLD_NAME)
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(HAS_INDEX)
            if cursor.fetchone() == (True,):
                cursor.execute(FILL_OLD_NAME)
        schema_editor.execute(KEEP_OLD_NAME)
    else:  # SQLite renames no index
        schema_editor.execute(DROP_INDEX.format("order_settle_after"))
        schema_editor.execute(CREATE_INDEX.format("order_recover_after", "recover_after"))


def undo(apps: Any, schema_editor: Any) -> None:
    """Give the column and its index their old names back."""
    is_on_postgresql = schema_editor.connection.vendor == "postgresql"
    if is_on_postgresql:
        schema_editor.execute(DROP_OLD_NAME)
    schema_editor.execute(RENAME_COLUMN.format("recover_after", "settle_after"))
    if is_on_postgresql:
        schema_editor.execute(RENAME_INDEX.format("order_recover_after", "order_settle_after"))
    else:
        schema_editor.execute(DROP_INDEX.format("order_recover_after"))
        schema_editor.execute(CREATE_INDEX.format("order_settle_after", "settle_after"))


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_idempotency_and_saga")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(rename, undo)],
            state_operations=[
                migrations.RemoveConstraint("order", "order_pending_is_settled"),
                migrations.RemoveIndex("order", "order_settle_after"),
                migrations.RenameField("order", "settle_after", "recover_after"),
                migrations.AddIndex(
                    "order",
                    models.Index(
                        fields=["recover_after"],
                        condition=Q(recover_after__isnull=False),
                        name="order_recover_after",
                    ),
                ),
                migrations.AddConstraint(
                    "order",
                    models.CheckConstraint(
                        condition=~Q(status="pending") | Q(reservation_id__isnull=False, recover_after__isnull=False),
                        name="order_pending_is_settled",
                    ),
                ),
            ],
        )
    ]
