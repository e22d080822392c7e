from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("orders", "0007_build_list_indexes"),  # it builds the index that replaces this one
    ]

    operations = [migrations.RemoveIndex("order", "order_product_id")]
