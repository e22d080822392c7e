from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ops.cli.command import OpsCommand, Result
from products_project.products import selectors
from products_project.products.models import Product
from products_project.products.services import catalogue


class Command(OpsCommand):
    """Take a product off sale without deleting it, or put it on sale again.
    A retired product is 404 for every client: it is not listed, and cannot be ordered or changed through the
    API. The admin shows it, and its orders stay unchanged. A second run changes nothing.

    Examples:
      manage.py retire_product 2 --dry-run
      manage.py retire_product 2
      manage.py retire_product 2 --undo          put it on sale again

    A product that does not exist exits with 1.
    """

    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("product_id", type=int, metavar="ID", help="the product's id")
        parser.add_argument("--undo", action="store_true", help="put a retired product on sale again")

    def perform(self, *, product_id: int, undo: bool, dry_run: bool, **options: Any) -> Result:
        try:
            if dry_run:
                changed = selectors.is_on_sale(product_id) is not undo
            elif undo:
                changed = catalogue.return_to_sale(product_id=product_id)
            else:
                changed = catalogue.retire_product(product_id=product_id)
        except Product.DoesNotExist:
            raise CommandError(f"Product {product_id} does not exist.") from None
        counts = {"changed": int(changed), "unchanged": int(not changed)}
        return Result(_sentence(product_id, undo, dry_run, changed), counts, details={"dryRun": dry_run})


def _sentence(product_id: int, undo: bool, dry_run: bool, changed: bool) -> str:
    state = "on sale again" if undo else "off sale"
    if not changed:
        return f"Product {product_id} is {'on sale' if undo else 'off sale'} already; nothing to change."
    if dry_run:
        return f"Would {'put' if undo else 'take'} product {product_id} {state}. Nothing was changed."
    return f"Product {product_id} is {state}."
