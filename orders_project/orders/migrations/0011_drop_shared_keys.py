from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0010_build_order_owner'),  # its index keeps the keys unique, also those of the release before
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='order',
            name='order_key_unique',
        ),
    ]
