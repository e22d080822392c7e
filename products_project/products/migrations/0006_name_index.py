from django.db import migrations, models

from ops.database.large_tables import AddIndexDeferred


class Migration(migrations.Migration):
    dependencies = [
        ("products", "0005_search_index"),
    ]

    operations = [
        AddIndexDeferred(
            "product",
            models.Index(fields=["name", "id"], condition=models.Q(retired_at=None), name="product_name_on_sale"),
        ),
    ]
