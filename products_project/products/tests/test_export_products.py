"""export_products and seed_products are an exact round trip."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from ops.database import batches
from ops.tests.exported_rows import run_for_rows
from ops.tests.run_command import run
from products_project.products.management.commands.export_products import Command as Export
from products_project.products.management.commands.seed_products import Command as Seed
from products_project.products.models import Product

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = [
    "Quantum Laptop",
    "12.1 cm",
    "=1+1",
    "+49 30 1234",
    "-5",
    "@home",
    "\tTabbed",
    "\rReturned",
    "two\nlines",
    "two\r\nlines",
    "a bare\rreturn",
    'a "quoted" word',
    '"',
    "'",
    "comma, semicolon; pipe|",
    "\\n is no newline",
    "  padded  ",
    "Größe Ω 🚀 \u202e \u2028 \ufeff",
    "é" * 200,
    "<script>alert(1)</script>",
    "id,name",
    "[{",
]


def create(*names: str, first: int = 1) -> None:
    Product.objects.bulk_create(Product(id=number, name=name) for number, name in enumerate(names, first))


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_exported_seeded_and_exported_again_gives_the_same_bytes(form: str, tmp_path: Path) -> None:
    create(*NAMES)
    create("The last one", first=2**53)
    first, second = tmp_path / f"first.{form}", tmp_path / f"second.{form}"

    assert run(Export(), "--format", form, "--output", str(first))[0] == 0
    before = list(Product.objects.order_by("pk").values_list("pk", "name"))
    Product.objects.all().delete()
    code, output, _ = run(Seed(), "--file", str(first))
    count = len(NAMES) + 1
    assert (code, output.partition(" 7 names")[0]) == (
        0,
        f"Seeded {count} products: {count} created, 0 updated, 0 unchanged.",
    )
    assert run(Export(), "--format", form, "--output", str(second))[0] == 0

    assert list(Product.objects.order_by("pk").values_list("pk", "name")) == before
    assert first.read_bytes() == second.read_bytes()


def test_more_than_a_page_is_in_the_order_of_the_ids(tmp_path: Path) -> None:
    count = 2 * batches.PAGE + 1
    create(*(f"Product {number}" for number in range(count)))
    path = tmp_path / "products.jsonl"

    code, output, said = run(Export(), "--format", "jsonl", "--output", str(path))

    assert (code, output, said) == (0, "", f"Exported {count} products to {path}.\n")
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == list(range(1, count + 1))


def test_by_default_rows_go_to_standard_output_and_the_sentence_does_not() -> None:
    create("Lamp")

    code, rows, said = run_for_rows(Export())

    assert rows == b"id,name\r\n1,Lamp\r\n"
    assert (code, said) == (0, "Exported 1 product to standard output.\n")


def test_json_reports_on_standard_error_beside_the_rows() -> None:
    create("Lamp")

    _, rows, said = run_for_rows(Export(), "--json", "--format", "json")

    assert json.loads(rows) == [{"id": 1, "name": "Lamp"}]
    document = json.loads(said)
    assert (document["counts"], document["output"]) == ({"exported": 1}, "standard output")


def test_retired_products_are_left_out_unless_asked_for() -> None:
    create("On sale", "Retired")
    Product.objects.filter(pk=2).update(retired_at=timezone.now())

    assert run_for_rows(Export())[1] == b"id,name\r\n1,On sale\r\n"
    assert run_for_rows(Export(), "--retired")[1] == b"id,name\r\n1,On sale\r\n2,Retired\r\n"


def test_a_file_that_is_replaced_is_named(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("old")

    assert run(Export(), "--output", str(path))[2] == (
        f"Exported 0 products to {path}, in place of the file that was there.\n"
    )
    assert path.read_bytes() == b"id,name\r\n"


def test_a_signal_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    create(*(f"Product {number}" for number in range(batches.PAGE + 1)))
    path = tmp_path / "products.csv"
    path.write_text("old")

    def stop(execute: Any, *arguments: Any) -> Any:
        if not signalled:
            signalled.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
        return execute(*arguments)

    signalled: list[bool] = []
    with connection.execute_wrapper(stop):
        code, _, said = run(Export(), "--output", str(path))

    assert (code, said) == (1, "Stopped by a signal; nothing was changed.\n")
    assert [file.name for file in tmp_path.iterdir()] == ["products.csv"]
    assert path.read_text() == "old"


def test_a_full_disk_is_one_clear_line() -> None:
    create("Lamp")

    assert run(Export(), "--output", "/dev/full") == (1, "", "/dev/full: No space left on device.\n")


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "products.csv"

    assert run(Export(), "--output", str(path)) == (2, "", f"{path} cannot be written: No such file or directory.\n")
