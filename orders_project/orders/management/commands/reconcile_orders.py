from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.db import DatabaseError

from ops.cli.arguments import moment, whole_number
from ops.cli.command import OpsCommand, Result
from ops.cli.pacing import pause_until
from orders_project.orders.errors import ProductsUnavailable
from orders_project.orders.models import MAX_ID
from orders_project.orders.reconciliation import Reconciliation


class Command(OpsCommand):
    help = (
        "Ask products about every product that orders name, and report orders of products that no longer exist or\n"
        "have another name than when the order was placed. It changes nothing.\n"
        "It asks about each product once, politely, through the client that orders are placed with. Orders from\n"
        "before names were kept are not reported as renamed; only confirmed ones count."
    )
    examples = (
        "  manage.py reconcile_orders\n"
        "  manage.py reconcile_orders --since 2026-11-01 --json      for a ticket: the first 100 findings, and counts\n"
        "  manage.py reconcile_orders --limit 1000                   says how to go on\n"
        "  manage.py reconcile_orders --after 1000                   goes on\n\n"
        "1 when something was found, and when products does not answer: then it says how far it came."
    )
    exclusive = True  # or two runs would ask twice as often as --rate allows

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rate",
            type=whole_number(1, 1_000),
            default=20,
            metavar="N",
            help="products to ask about in a second, at most (default: %(default)s)",
        )
        parser.add_argument(
            "--limit", type=whole_number(1, MAX_ID), metavar="N", help="end after so many products; default: none"
        )
        parser.add_argument(
            "--after",
            type=whole_number(0, MAX_ID),
            default=0,
            metavar="PRODUCT_ID",
            help="go on behind this product, as an earlier run says",
        )
        parser.add_argument(
            "--since", type=moment, metavar="WHEN", help="only orders from then on: an ISO 8601 date or time, in UTC"
        )

    def perform(self, *, rate: int, limit: int | None, after: int, since: datetime | None, **options: Any) -> Result:
        run = Reconciliation(since=since, last=after)
        hindrance = self._ask(run, 1 / rate, limit)

        noun = "product" if run.products == 1 else "products"
        lines = [f"Asked about {run.products} {noun}: {run.missing} missing, {run.renamed} renamed."]
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
        """Ask about one product after the other, up to the limit; return what kept it from the rest, or nothing."""
        due = time.monotonic()
        try:
            with self.progress("asking about products") as show:
                while run.products != limit and (product_id := run.next_product_id()) is not None:
                    pause_until(due, lambda: self.stopping)
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
