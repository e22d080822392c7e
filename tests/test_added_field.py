"""A field that is added to Product as CONTRIBUTING says appears wherever a product does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, clean_environment, database

FIELD = """
    price_cents = models.BigIntegerField(null=True, blank=True)
    sale_from = models.DateField(null=True, blank=True)
    sold_as = models.CharField(max_length=20, db_default="piece")
"""
MODEL = "    name = models.CharField(max_length=NAME_LENGTH)\n"
SHOWN = 'fields = ("id", "name")'
ROWS = "id,name,priceCents,sale_from,sold_as\r\n1,Quantum Laptop,129900,2026-12-01,piece\r\n2,Pen,,,box\r\n"
READ = """
import json, os, sys
import django
django.setup()
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.contrib.auth.models import User
client = Client(headers={"accept": "application/json", "host": "localhost"})
found = {"detail": client.get("/products/1").json()}
with CaptureQueriesContext(connection) as queries:
    found["list"] = client.get("/products").json()["results"]
found["queries"] = len(queries)
schema = client.get("/openapi.json").json()["components"]["schemas"]["Product"]["properties"]
found["schema"] = sorted(schema)
client.force_login(User.objects.create_superuser("ada"))
found["admin"] = client.get("/admin/products/product/", headers={"accept": "text/html"}).content.decode()
found["form"] = client.get("/admin/products/product/1/change/", headers={"accept": "text/html"}).content.decode()
print(json.dumps(found))
"""


class Copy:
    """The project in another folder, with a field more."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.env = clean_environment({"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "products_project.settings"})
        for package in ("ops", "events", "products_project"):
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "tests"))

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / "products_project" / "products" / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file}: {old}"
        path.write_text(text.replace(old, new))

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run Python in the copy; return its standard output."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.env | {"PYTHONPATH": str(self.folder)},
            input=stdin.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def manage(self, *arguments: str, stdin: str = "") -> str:
        return self.run("products_project/manage.py", *arguments, stdin=stdin)


@pytest.fixture
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    folder = tmp_path_factory.mktemp("copy")
    with database(folder, "products") as url:
        project = Copy(folder, url)
        project.manage("migrate", "--verbosity", "0")
        project.manage("seed_products")
        project.replace("models.py", MODEL, MODEL + FIELD)
        project.replace(
            "serializers.py",
            SHOWN,
            'fields = ("id", "name", "priceCents", "sale_from", "sold_as")\n'
            '        extra_kwargs = {"sold_as": {"required": False}}',
        )
        project.replace(
            "serializers.py",
            "    name = StrictCharField(max_length=Product.NAME_LENGTH)\n",
            "    name = StrictCharField(max_length=Product.NAME_LENGTH)\n"
            '    priceCents = StrictIntegerField(source="price_cents", required=False, allow_null=True)\n',
        )
        project.manage("makemigrations", "products", "--verbosity", "0")
        project.manage("migrate", "--verbosity", "0")
        yield project


def test_an_added_field_is_seeded_shown_listed_and_exported(copy: Copy) -> None:
    assert "1 created" not in copy.manage("seed_products")  # the built-in rows leave the field out
    copy.manage("seed_products", "--file", "-", "--format", "csv", stdin=ROWS)
    again = copy.manage("seed_products", "--file", "-", "--format", "csv", stdin=ROWS)

    found = json.loads(copy.run("-c", READ).splitlines()[-1])

    laptop = {"id": 1, "name": "Quantum Laptop", "priceCents": 129900, "sale_from": "2026-12-01", "sold_as": "piece"}
    pen = {"id": 2, "name": "Pen", "priceCents": None, "sale_from": None, "sold_as": "box"}
    assert again == "Seeded 2 products: 0 created, 0 updated, 2 unchanged.\n"
    assert found["detail"] == laptop
    assert (found["list"][:2], found["queries"]) == ([laptop, pen], 1)
    assert found["schema"] == ["id", "name", "priceCents", "sale_from", "sold_as"]
    assert 'class="field-price_cents">129900' in found["admin"]
    assert 'name="price_cents" value="129900"' in found["form"]
    assert copy.manage("export_products") == ROWS


def test_a_row_that_leaves_the_field_out_leaves_it_as_it_is(copy: Copy) -> None:
    copy.manage("seed_products", "--file", "-", "--format", "csv", stdin=ROWS)
    lines = '{"id": 1, "name": "Quantum Laptop"}\n{"id": 2, "name": "Pen", "priceCents": 5}\n{"id": 3, "name": "Ink"}\n'

    said = copy.manage("seed_products", "--file", "-", "--format", "jsonl", stdin=lines)

    assert said == "Seeded 3 products: 1 created, 1 updated, 1 unchanged.\n"
    assert copy.manage("export_products", "--format", "jsonl").splitlines() == [
        '{"id":1,"name":"Quantum Laptop","priceCents":129900,"sale_from":"2026-12-01","sold_as":"piece"}',
        '{"id":2,"name":"Pen","priceCents":5,"sale_from":null,"sold_as":"box"}',
        '{"id":3,"name":"Ink","priceCents":null,"sale_from":null,"sold_as":"piece"}',
    ]
