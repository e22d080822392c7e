from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from ops.cli import exports as exporting
from ops.cli import output
from ops.cli.arguments import counted
from ops.cli.command import OpsCommand, Result, Stopped
from products_project.products import selectors
from products_project.products.serializers import PRODUCT


class Command(OpsCommand):
    """Write the products on sale, id and name, in the order of their ids, in the format of seed_products.
    Seeding a database with the file and exporting it again gives the same bytes. So names are unaltered, also
    in CSV: a name that starts with = is a formula in a spreadsheet.

    Examples:
      manage.py export_products
      manage.py export_products --format jsonl --output products.jsonl
      manage.py export_products --format json | ssh other-host manage.py seed_products --file -

    The file does not contain which products are retired: seed_products creates them on sale, and keeps a
    retired product retired. An unusable file exits with 2, a file that another run is writing with 3.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        exporting.add_format_argument(parser)
        output.add_output_argument(parser)
        parser.add_argument("--retired", action="store_true", help="write the retired products too")

    def perform(self, *, form: exporting.Format, path: str, retired: bool, **options: Any) -> Result:
        output.leave_standard_output_to_rows(self)
        encoding = exporting.Encoding(form, PRODUCT.names)
        count, total = 0, partial(selectors.count_products, retired=retired)
        with output.showing_progress(self, path, total) as show, output.open_output(path) as file:
            file.write(encoding.head())
            for page in selectors.exported_pages(retired=retired):
                if self.stopping:
                    raise Stopped
                file.write(encoding.page(page))
                count += len(page)
                show(count)
            file.write(encoding.tail())
        sentence = f"Exported {counted(count, 'product')} to {file.account}."
        return Result(sentence, {"exported": count}, details={"output": file.place})
