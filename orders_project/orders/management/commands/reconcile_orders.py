from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.db import DatabaseError

from ops.cli.arguments import add_number, counted, moment
from ops.cli.command import OpsCommand, Result
from orders_project.orders.errors import ProductsUnavailable
from orders_project.orders.models import MAX_ID
from orders_project.orders.reconciliation import Reconciliation


class Command(OpsCommand):
    """Check every ordered product with products. Report orders whose product no longer exists or was renamed.
    It calls products once for each product, at a limited rate, with the client of orders. It changes nothing.
    Orders without a stored name are not reported as renamed. Only confirmed orders count.

    Examples:
      manage.py reconcile_orders
      manage.py reconcile_orders --since 2026-11-01 --json      the first 100 findings, and counts
      manage.py reconcile_orders --limit 1000                   print how to continue
      manage.py reconcile_orders --after 1000                   continue

    It exits with 1 for a finding, and if products does not answer; then it prints how to continue.
    """

    exclusive = True  # otherwise two runs would exceed --rate

    def add_arguments(self, parser: CommandParser) -> None:
        meaning = "largest number of products to check in a second"
        add_number(parser, "--rate", 1, 1_000, meaning=meaning, default=20)
        meaning = "end after this number of products; default: none"
        add_number(parser, "--limit", 1, MAX_ID, meaning=meaning, default=None)
        meaning = "continue after this product, as printed by an earlier run"
        add_number(parser, "--after", 0, MAX_ID, meaning=meaning, default=0, metavar="PRODUCT_ID")
        parser.add_argument(
            "--since", type=moment, metavar="WHEN", help="only orders from then on: an ISO 8601 date or time, in UTC"
        )

    def perform(self, *, rate: int, limit: int | None, after: int, since: datetime | None, **options: Any) -> Result:
        run = Reconciliation(since=since, last=after)
        hindrance = self._ask(run, 1 / rate, limit)

        asked = counted(run.products, "product")
        lines = [f"Asked about {asked}: {run.missing} missing, {run.renamed} renamed."]
        if hindrance:
            lines[0] += f" Then {hindrance}."
        if hindrance or run.next_product_id() is not None:
            lines[0] += f" Go on with --after {run.last}."
        problems = [str(finding) for finding in run.listed]
        if run.findings > len(run.listed):
            problems.append(f"and {run.findings - len(run.listed)} more")
        return Result(
            "\n  ".join(lines + problems),
            {name: getattr(run, name) for name in ("products", "missing", "renamed", "orders", "findings")},
            [*problems, hindrance] if hindrance else problems,
            {"after": run.last, "findings": [finding.as_json() for finding in run.listed]},
        )

    def _ask(self, run: Reconciliation, interval: float, limit: int | None) -> str:
        """Check one product after another, up to the limit; return the reason of an early end, or an empty text."""
        due = time.monotonic()
        try:
            with self.progress("asking about products") as show:
                while run.products != limit and (product_id := run.next_product_id()) is not None:
                    self.pause(due - time.monotonic())
                    if self.stopping:
                        return "a signal stopped it"
                    run.ask_about(product_id)
                    due = max(due + interval, time.monotonic())
                    show(run.products)
        except ProductsUnavailable as error:
            return f"products gave no answer about product {product_id}: {error.__cause__}"
        except DatabaseError as error:
            return f"the database refused: {' '.join(str(error).split())}"
        return ""
