from django.db import migrations

from ops.database.large_tables import DeferredParts


class Migration(migrations.Migration):

    atomic = False  # it builds the rest of 0009 while orders are placed

    dependencies = [
        ('orders', '0009_order_owner'),
    ]

    operations = [migrations.RunPython(DeferredParts('orders', 'Order').build, migrations.RunPython.noop)]
