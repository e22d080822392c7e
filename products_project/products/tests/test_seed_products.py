"""seed_products creates and updates; a second run changes nothing."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from products_project.products.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


def seed(*options: str) -> tuple[object, str, str]:
    """Return the exit code, standard output and standard error."""
    output, errors = StringIO(), StringIO()
    try:
        call_command("seed_products", *options, stdout=output, stderr=errors)
    except SystemExit as ended:
        return ended.code, output.getvalue(), errors.getvalue()
    return 0, output.getvalue(), errors.getvalue()


def products() -> dict[int, str]:
    return dict(Product.objects.order_by("id").values_list("id", "name"))


@pytest.fixture
def csv(tmp_path: Path) -> Any:
    def write(*lines: str) -> str:
        path = tmp_path / "products.csv"
        path.write_text("\n".join(("id,name", *lines)), encoding="utf-8")
        return str(path)

    return write


def test_by_default_it_seeds_the_two_built_in_products() -> None:
    assert seed() == (0, "Seeded 2 products: 2 created, 0 updated, 0 unchanged.\n", "")
    assert products() == {1: "Quantum Laptop", 2: "Neutrino Keyboard"}


def test_a_second_run_changes_nothing() -> None:
    seed()

    assert seed()[:2] == (0, "Seeded 2 products: 0 created, 0 updated, 2 unchanged.\n")


def test_it_updates_by_id_and_leaves_other_products_alone(csv: Any) -> None:
    Product.objects.create(id=2, name="Old")
    Product.objects.create(id=9, name="Of somebody else")

    code, output, _ = seed("--file", csv("1,New", "2,Newer"))

    assert (code, output) == (0, "Seeded 2 products: 1 created, 1 updated, 0 unchanged.\n")
    assert products() == {1: "New", 2: "Newer", 9: "Of somebody else"}


def test_a_dry_run_says_what_would_happen_and_changes_nothing(csv: Any) -> None:
    Product.objects.create(id=2, name="Old")

    code, output, _ = seed("--dry-run", "--file", csv("1,New", "2,Newer"))

    assert code == 0
    assert output == "Would seed 2 products: 1 created, 1 updated, 0 unchanged. Nothing was changed.\n"
    assert products() == {2: "Old"}


def test_one_bad_row_anywhere_changes_nothing(csv: Any) -> None:
    rows = [f"{number},Product {number}" for number in range(1, 6001)]

    code, output, errors = seed("--file", csv(*rows, "6001,"))

    assert (code, output) == (1, "")
    assert errors == "1 row is bad; nothing was changed:\n  line 6002: name: is missing\n"
    assert products() == {}


def test_many_bad_rows_are_counted_and_the_first_twenty_named(csv: Any) -> None:
    code, _, errors = seed("--file", csv("1,Good", *("x,Bad" for _ in range(25))))

    lines = errors.splitlines()
    assert code == 1
    assert lines[0] == "25 rows are bad; nothing was changed:"
    assert lines[1] == "  line 3: id: is not a whole number"
    assert len(lines) == 22
    assert lines[-1] == "  and 5 more"


def test_an_id_that_comes_twice_is_bad_however_far_apart(csv: Any) -> None:
    rows = [f"{number},Product {number}" for number in range(1, 6001)]

    code, _, errors = seed("--file", csv(*rows, "3,Again"))

    assert code == 1
    assert errors.splitlines()[1:] == ["  line 6002: id: 3 is already on line 4"]
    assert products() == {}


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_after_explicit_ids_the_next_product_gets_a_free_one(csv: Any) -> None:
    seed("--file", csv("41,a"))
    assert Product.objects.create(name="b").pk == 42

    seed("--file", csv("7,c"))
    assert Product.objects.create(name="d").pk == 43


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_an_id_is_not_given_again_after_its_product_was_deleted(csv: Any) -> None:
    seed("--file", csv("41,a"))
    Product.objects.all().delete()

    seed("--file", csv("5,b"))

    assert Product.objects.create(name="c").pk == 42


def test_names_arrive_as_they_were_written(csv: Any) -> None:
    names = {1: "Größe Ω 🚀", 2: "O'Brien; DROP TABLE", 3: "%s {} \\", 4: "  padded  "}

    seed("--file", csv(*(f"{key},{name}" for key, name in names.items())))

    assert products() == names


def test_names_that_are_not_what_they_look_like_are_stored_and_counted(csv: Any) -> None:
    file = csv("1,Family \N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}", "2, leading", "3,gnp.\N{RIGHT-TO-LEFT OVERRIDE}exe")

    assert seed("--dry-run", "--file", file)[1].endswith(
        "Nothing was changed. 2 names stay as written, with blanks at an end or invisible letters; see line 3.\n"
    )
    assert json.loads(seed("--json", "--file", file)[1])["namesWithUnseenLetters"] == 2
    assert products()[2] == " leading"


def test_json_reports_counts_and_problems(csv: Any) -> None:
    good, bad = json.loads(seed("--json")[1]), json.loads(seed("--json", "--file", csv("0,a"))[1])

    assert good["counts"] == {"created": 2, "updated": 0, "unchanged": 0}
    assert good["dryRun"] is False
    assert bad["outcome"] == "failed"
    assert bad["problems"] == ["line 2: id: is not between 1 and 9223372036854775807"]


def test_a_file_that_cannot_be_opened_is_wrong_usage(tmp_path: Path) -> None:
    missing, folder = tmp_path / "missing.csv", tmp_path

    assert seed("--file", str(missing)) == (2, "", f"{missing} cannot be read: No such file or directory.\n")
    assert seed("--file", str(folder)) == (2, "", f"{folder} cannot be read: Is a directory.\n")
    assert seed("--format", "csv")[0] == 2


def test_the_staging_table_is_gone_afterwards(csv: Any) -> None:
    seed()
    seed("--file", csv("0,bad"))

    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    assert "seeding" not in tables
    assert seed()[0] == 0
