from django.db import migrations, models
from django.db.models import Q

from ops.database.large_tables import AddIndexDeferred


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_build_deferred"),
    ]

    operations = [
        AddIndexDeferred(
            "order", models.Index(fields=["product_id", "created_at"], name="order_product_created_at")
        ),
        AddIndexDeferred(
            "order",
            models.Index(
                fields=["status", "created_at"], condition=~Q(status="confirmed"), name="order_unconfirmed_created_at"
            ),
        ),
    ]
