from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ops.cli import arguments, output
from ops.cli import exports as exporting
from ops.cli.command import USAGE, OpsCommand, Result
from orders_project.orders import selectors
from orders_project.orders.management import bar_chart
from orders_project.orders.selectors import Total

TOP = 20
KEYS = {"day": "day", "product": "productId"}
LABELS = {"day": ("day",), "product": ("product", "name")}  # the columns before the numbers


class Command(OpsCommand):
    """Count confirmed orders and add up their quantities, by day in UTC or by product: a table, CSV, JSON or plot.
    Days without an order are shown between the first and the last. Of the products, those with the most orders
    are shown, each with the name of its last order. The others are one row (productId null in JSON).

    Examples:
      manage.py order_report
      manage.py order_report --by product --top 5 --since 2026-11-01 --until 2026-12-01 --plot
      manage.py order_report --format csv > days.csv
      manage.py order_report --svg days.svg

    The interval includes --since and excludes --until. With --json the rows are in the object.
    A bad option or an unusable file exits with 2.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--by", choices=tuple(KEYS), default="day", help="default: %(default)s")
        arguments.add_interval_arguments(parser, "orders placed")
        arguments.add_number(parser, "--top", 1, 1000, meaning=f"products shown; default: {TOP}", default=None)
        parser.add_argument(
            "--format", dest="form", choices=("table", "csv", "json"), default="table", help="default: %(default)s"
        )
        parser.add_argument("--plot", action="store_true", help="draw bars beside the table; the default on a terminal")
        parser.add_argument("--svg", metavar="FILE", help="draw the orders into this file, which is replaced")

    def perform(
        self,
        *,
        by: str,
        since: datetime | None,
        until: datetime | None,
        top: int | None,
        form: str,
        plot: bool,
        svg: str | None,
        as_json: bool,
        **options: Any,
    ) -> Result:
        arguments.check_interval(since, until)
        if top and by != "product":
            raise CommandError("--top needs --by product.", returncode=USAGE)
        if plot and form != "table":
            raise CommandError("--plot needs --format table.", returncode=USAGE)
        try:
            if by == "day":
                totals = selectors.totals_by_day(since=since, until=until)
            else:
                totals = selectors.totals_by_product(since=since, until=until, top=top or TOP)
        except selectors.TooManyDays as span:
            raise CommandError(f"{span}; give --since or --until.", returncode=USAGE) from None
        if svg:
            with output.open_output(svg) as file:
                file.write(_chart(totals, by).encode())
        if not as_json:
            self._print_totals(totals, by, form, plot=plot or self.stdout.isatty())
        return _result(totals, by, svg)

    def _print_totals(self, totals: Sequence[Total], by: str, form: str, *, plot: bool) -> None:
        if form == "table":
            columns = LABELS[by]
            header, align = [*columns, "orders", "quantity"], f">{'<' * (len(columns) - 1)}>>"
            rows = [[*_labels(total)[: len(columns)], f"{total.orders:,}", f"{total.quantity:,}"] for total in totals]
            if plot:
                header, align = [*header, ""], f"{align}<"
                largest = max((total.orders for total in totals), default=0)
                draw = partial(bar_chart.blocks, largest=largest, encoding=self.stdout.encoding or "utf-8")
                rows = [[*row, draw(total.orders)] for row, total in zip(rows, totals, strict=True)]
            if totals:
                output.print_table(self.stdout, header, rows, align=align)
            return
        output.leave_standard_output_to_rows(self)
        fields = [_fields(total, by) for total in totals]
        if form == "csv":
            fields = [one | {KEYS[by]: _label(total)} for one, total in zip(fields, totals, strict=True)]
        names = (KEYS[by], *LABELS[by][1:], "orders", "quantity")
        encoding = exporting.Encoding("csv" if form == "csv" else "json", names)
        with output.open_output(output.STANDARD_OUTPUT) as file:
            file.write(encoding.head())
            file.write(encoding.page([[one[name] for name in names] for one in fields]))
            file.write(encoding.tail())


def _fields(total: Total, by: str) -> dict[str, Any]:
    name = {"name": total.name} if by == "product" else {}
    return {KEYS[by]: total.key, **name, "orders": total.orders, "quantity": total.quantity}


def _label(total: Total) -> str:
    return "others" if total.key is None else str(total.key)


def _labels(total: Total) -> tuple[str, str]:
    return _label(total), total.name or ""


def _chart(totals: Sequence[Total], by: str) -> str:
    bars = [
        bar_chart.Bar(
            total.name or _label(total),
            total.orders,
            f"{' '.join(_labels(total)).strip()}: {total.orders:,} orders, {total.quantity:,} pieces",
        )
        for total in totals
    ]
    return bar_chart.svg(bars, title=f"Orders by {by}", x_label=f"{by} (UTC)" if by == "day" else by, y_label="orders")


def _result(totals: Sequence[Total], by: str, svg: str | None) -> Result:
    counts = {
        "orders": sum(total.orders for total in totals),
        "quantity": sum(total.quantity for total in totals),
        f"{by}s": sum(total.products for total in totals),
    }
    orders, quantity, groups = counts.values()
    sentence = f"{orders:,} orders of {quantity:,} pieces, {groups:,} {by}{'' if groups == 1 else 's'}."
    rows = [_fields(total, by) for total in totals]
    if svg:
        sentence += f" Drawn in {svg}."
    return Result(sentence if orders else "No orders.", counts, details={"by": by, "rows": rows, "svg": svg})
