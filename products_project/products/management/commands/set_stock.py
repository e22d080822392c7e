from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from ops.cli.arguments import whole_number
from ops.cli.command import USAGE, OpsCommand, Result
from products_project.products.models import MAX_STOCK, Product
from products_project.products.services import stock


class Command(OpsCommand):
    """Set the stock of a product that can be reserved, or stop tracking it.
    Reserved pieces are not part of it. While orders arrive, use --add for a delivery or a loss, as a computed
    number would ignore sales in between. Each is safe beside reservations.

    Examples:
      manage.py set_stock 2 100              set the stock to 100
      manage.py set_stock 2 --add 50         a delivery
      manage.py set_stock 2 --add=-3         a loss; refused if the stock is smaller
      manage.py set_stock 2 --untracked      stop tracking the stock

    A missing product, and a stock that would fall below 0, exit with 1.
    """

    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("product_id", type=int, metavar="ID", help="the product's id")
        parser.add_argument("count", type=whole_number(0, MAX_STOCK), metavar="N", nargs="?", help="the new stock")
        parser.add_argument("--untracked", action="store_true", help="stop tracking the stock")
        parser.add_argument("--add", type=_signed, metavar="N", help="add to the stock; subtract with --add=-N")

    def perform(
        self, *, product_id: int, count: int | None, untracked: bool, add: int | None, dry_run: bool, **options: Any
    ) -> Result:
        if [count is not None, untracked, add is not None].count(True) != 1:
            raise CommandError("Give one of N, --untracked and --add N.", returncode=USAGE)
        try:
            if add is not None:
                change = stock.add_stock(product_id=product_id, quantity=add, dry_run=dry_run)
            else:
                change = stock.set_stock(product_id=product_id, stock=count, dry_run=dry_run)
        except (Product.DoesNotExist, OverflowError):
            raise CommandError(f"Product {product_id} does not exist.") from None
        except stock.StockOutOfRange as refusal:
            raise CommandError(_refusal(product_id, refusal.before)) from None
        counts = {"changed": int(change.is_change), "unchanged": int(not change.is_change)}
        details = {"dryRun": dry_run, "before": change.before, "after": change.after}
        return Result(_sentence(product_id, change, dry_run), counts, details=details)


def _signed(text: str) -> int:
    amount = whole_number(0, MAX_STOCK)(text.removeprefix("-").removeprefix("+"))
    return -amount if text.startswith("-") else amount


def _state(count: int | None) -> str:
    return "not tracked" if count is None else str(count)


def _sentence(product_id: int, change: stock.StockChange, dry_run: bool) -> str:
    if not change.is_change:
        return f"The stock of product {product_id} is {_state(change.after)} already; nothing to change."
    if dry_run:
        return (
            f"Would change the stock of product {product_id} from {_state(change.before)} to {_state(change.after)}. "
            "Nothing was changed."
        )
    return f"The stock of product {product_id} is {_state(change.after)}; it was {_state(change.before)}."


def _refusal(product_id: int, before: int | None) -> str:
    if before is None:
        return f"The stock of product {product_id} is not tracked: there is nothing to add to. Nothing was changed."
    return f"The stock of product {product_id} is {before}; it must stay from 0 to {MAX_STOCK}. Nothing was changed."
