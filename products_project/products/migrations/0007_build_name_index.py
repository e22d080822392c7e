from django.db import migrations

from ops.database.large_tables import DeferredParts


class Migration(migrations.Migration):

    atomic = False  # it builds the index of 0006 while products are read and written

    dependencies = [
        ("products", "0006_name_index"),
    ]

    operations = [migrations.RunPython(DeferredParts("products", "Product").build, migrations.RunPython.noop)]
