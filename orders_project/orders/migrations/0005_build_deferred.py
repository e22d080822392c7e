from django.db import migrations

from ops.database.large_tables import DeferredParts


class Migration(migrations.Migration):

    atomic = False  # it builds the rest of 0003 while orders are placed

    dependencies = [
        ('orders', '0004_recover_after'),
    ]

    operations = [migrations.RunPython(DeferredParts('orders', 'Order').build, migrations.RunPython.noop)]
