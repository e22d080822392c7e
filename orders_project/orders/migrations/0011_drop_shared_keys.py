from django.core.management.base import CommandError
from django.db import migrations
from django.db.models import Count


def refuse_shared_keys(apps, schema_editor):
    """Refuse the way back while clients share a key, which the release before keeps unique among all of them."""
    keys = apps.get_model("orders", "Order").objects.exclude(idempotency_key=None).values("idempotency_key")
    if shared := keys.annotate(orders=Count("pk")).filter(orders__gt=1).count():
        raise CommandError(
            f"{shared} idempotency keys belong to orders of several clients, and the release before allows one order for "
            "a key; nothing was changed. Stop orders, wait until the keys are 24 hours old, run "
            "`purge_idempotency_keys`, then migrate again."
        )


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0010_build_order_owner'),  # its index keeps the keys unique, also those of the release before
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='order',
            name='order_key_unique',
        ),
        migrations.RunPython(migrations.RunPython.noop, refuse_shared_keys),
    ]
