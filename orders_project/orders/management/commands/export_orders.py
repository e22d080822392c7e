from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.db import Error as DatabaseFailure

from ops.cli import arguments, output
from ops.cli import exports as exporting
from ops.cli.command import OpsCommand, Result
from ops.database import batches
from orders_project.orders import selectors
from orders_project.orders.models import MAX_ID, Order
from orders_project.orders.serializers import ORDER


class Command(OpsCommand):
    """Write orders in the order of their ids: id, productId, quantity, status, createdAt (ISO 8601, UTC).
    It reads page by page without an open transaction, so it may miss an order placed meanwhile. Give --until a
    past time for a complete export. In CSV, a text that a spreadsheet would treat as a formula gets a single
    quote before it; numbers stay numbers.

    Examples:
      manage.py export_orders --since 2026-11-01 --until 2026-12-01 --output november.csv
      manage.py export_orders --format jsonl | gzip > orders.jsonl.gz
      manage.py export_orders --format jsonl --after 120000 >> orders.jsonl

    The interval includes --since and excludes --until.
    A stopped run, or one with a failed database, exits with 1 and prints the --after to continue with. Its
    output is well-formed and stays as PATH.partial with --output. Join JSON Lines files as they are, CSV files
    with --no-header from the second on.
    A bad option or an unusable file exits with 2, a file that another run is writing with 3.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        exporting.add_format_argument(parser)
        output.add_output_argument(parser)
        arguments.add_interval_arguments(parser, "orders placed")
        parser.add_argument("--status", choices=Order.Status.values, help="only orders of this status")
        meaning = "only orders after this one, as printed by an earlier run"
        arguments.add_number(parser, "--after", 0, MAX_ID, meaning=meaning, default=0, metavar="ID")
        parser.add_argument("--no-header", action="store_true", help="leave out the first line of CSV")

    def perform(
        self,
        *,
        form: exporting.Format,
        path: str,
        since: datetime | None,
        until: datetime | None,
        status: str | None,
        after: int,
        no_header: bool,
        **options: Any,
    ) -> Result:
        output.leave_standard_output_to_rows(self)
        arguments.check_interval(since, until)
        rows = selectors.exported_orders(since=since, until=until, status=status, after=after)
        encoding = exporting.Encoding(form, ORDER.names, for_spreadsheets=True)
        count, cursor, trouble = 0, after, ""
        with output.showing_progress(self, path, rows.count) as show, output.open_output(path) as file:
            file.write(b"" if no_header and form == "csv" else encoding.head())
            try:
                for page in batches.pages(rows.values_list("pk", *ORDER.columns)):
                    if self.stopping:
                        trouble = "stopped by a signal"
                        break
                    file.write(encoding.page([list(ORDER.show_values(row[1:]).values()) for row in page]))
                    count, cursor = count + len(page), page[-1][0]
                    show(count)
            except DatabaseFailure as error:
                if not count:
                    raise
                trouble = f"the database refused: {' '.join(str(error).split())}"
            file.unfinished = bool(trouble)
            file.write(encoding.tail())
        return _result(trouble, count, cursor, file)


def _result(trouble: str, count: int, cursor: int, file: output.Output) -> Result:
    """Report the output and where the next run continues."""
    begin = f"{trouble[0].upper()}{trouble[1:]}. Before that, exported" if trouble else "Exported"
    orders = arguments.counted(count, "order")
    sentence = f"{begin} {orders} to {file.account}; --after {cursor} goes on from there."
    details = {"cursor": cursor, "output": file.place}
    return Result(sentence, {"exported": count}, [trouble] if trouble else [], details)
