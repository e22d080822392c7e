from django.db import migrations

from ops.database.trigrams import TrigramIndex

index = TrigramIndex(name="product_name_trigrams", table="products_product", column="name")


class Migration(migrations.Migration):

    atomic = False  # the index is built while products are read and written

    dependencies = [
        ('products', '0004_product_sales'),
    ]

    operations = [migrations.RunPython(index.create, index.drop)]
