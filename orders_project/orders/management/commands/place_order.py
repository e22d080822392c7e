from __future__ import annotations

import re
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ops.api.problems import DomainError
from ops.cli.command import FAILED, USAGE, OpsCommand, Result
from orders_project.orders import services
from orders_project.orders.products_client import products_client
from orders_project.orders.serializers import OrderRequestSerializer, OrderSerializer

INTEGER = re.compile(r"-?[0-9]{1,40}", re.ASCII)


class Command(OpsCommand):
    """Place an order of a product, as POST /orders does: by the same rules, and with the same call to products.

    Examples:
      manage.py place_order 1 2                 two of product 1
      manage.py place_order 1 2 --dry-run       call products, store nothing
      manage.py place_order 1 2 --json          print the order as the API does

    A second run places a second order. A refused order ends with 1 and the API's error code, an invalid
    request with 2.
    """

    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's id")
        parser.add_argument("quantity", metavar="QUANTITY", help="the number of pieces")

    def perform(self, *, product: str, quantity: str, dry_run: bool, **options: Any) -> Result:
        wanted = OrderRequestSerializer(data={"productId": _number(product), "quantity": _number(quantity)})
        if not wanted.is_valid():
            faults = "; ".join(f"{field}: {' '.join(details)}" for field, details in wanted.errors.items())
            raise CommandError(f"validation_error: {faults}", returncode=USAGE)
        try:
            if dry_run:
                return _foreseen(**wanted.validated_data)
            order = services.place_order(**wanted.validated_data).order
        except DomainError as error:
            facts = "".join(f" {name}: {value}." for name, value in error.members.items())  # such as available
            problem = f"{error.code}: {error}{facts}"
            return Result(problem, {"placed": 0}, [problem], {"code": error.code, **error.members}, code=FAILED)
        return Result(
            f"Placed {order} ({order.product_name!r}), {order.status}.",
            {"placed": 1},
            details={"dryRun": False, "order": OrderSerializer(order).data},
        )


def _foreseen(product_id: int, quantity: int) -> Result:
    name = products_client().fetch_product(product_id).name
    return Result(
        f"Would place an order: {quantity} of product {product_id} ({name!r}). Nothing was changed.",
        {"placed": 0},
        details={"dryRun": True, "order": {"productId": product_id, "quantity": quantity}},
    )


def _number(text: str) -> int | str:
    """Return what the text would be in a request's JSON: an integer, or text, which the serializer refuses."""
    return int(text) if INTEGER.fullmatch(text) else text
