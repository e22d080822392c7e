from django.db import migrations, models
from django.db.models import Q, Value
from django.db.models.functions import Coalesce

from ops.database.large_tables import AddConstraintDeferred, AddIndexDeferred


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0008_remove_order_product_id'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='owner',
            field=models.CharField(max_length=255, null=True),
        ),
        AddIndexDeferred(
            model_name='order',
            index=models.Index(condition=Q(('owner__isnull', False)), fields=['owner', 'id'], name='order_owner'),
        ),
        AddIndexDeferred(
            model_name='order',
            index=models.Index(
                condition=Q(('owner__isnull', False)), fields=['owner', 'created_at'], name='order_owner_created_at'
            ),
        ),
        AddConstraintDeferred(
            model_name='order',
            constraint=models.UniqueConstraint(
                models.F('idempotency_key'), Coalesce('owner', Value('')),
                condition=Q(('idempotency_key__isnull', False)), name='order_key_of_owner_unique',
            ),
        ),
    ]
