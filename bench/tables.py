"""Compare a million rows with a thousand: `python -m bench.tables`."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import requests

from bench.run import ROOT, Server, load, prepared_databases, sink, subject
from tests.processes import clean_environment, manage

SIZES = (1_000, 1_000_000)
CASES = (
    ("GET", "products", "/products/{middle}"),
    ("GET", "products", "/products"),
    ("GET", "products", "/products?cursor={cursor}"),
    ("GET", "products", "/products?search=rare"),
    ("GET", "products", "/products?search=xy"),
    ("GET", "products", "/products?search=product"),
    ("GET", "orders", "/orders"),
    ("GET", "orders", "/orders?cursor={cursor}"),
    ("POST", "orders", "/orders"),
)
STAFF = {"SUPERUSER_NAME": "ada", "SUPERUSER_PASSWORD": "correct horse battery staple"}
ORDERS = """
from orders_project.orders.models import Order
for _ in range({rows} // 1000):
    Order.objects.bulk_create(Order(product_id=n, product_name="Quantum Laptop", quantity=2) for n in range(1, 1001))
"""


def cursor_of(position: int) -> str:
    """Return the cursor of the page after this id."""
    return quote(b64encode(f"p={position}".encode()).decode())


def fill(databases: dict[str, str], rows: int, directory: Path, services: set[str]) -> None:
    """Insert this number of products, and of orders if they are measured."""
    names = directory / f"{rows}.jsonl"
    with names.open("w") as file:
        for number in range(1, rows + 1):
            rare = " Rare Xy" if number == rows else ""
            file.write(f'{{"id": {number}, "name": "Product {number}{rare}"}}\n')
    seeded = ("seed_products", "--file", str(names))
    manage("products_project", *seeded, env={"DATABASE_URL": databases["products"]}, timeout=600).check_returncode()
    names.unlink()
    if "orders" not in services:
        return
    subprocess.run(
        [sys.executable, "orders_project/manage.py", "shell", "--no-imports", "--command", ORDERS.format(rows=rows)],
        cwd=ROOT,
        env=clean_environment({"DATABASE_URL": databases["orders"]}),
        check=True,
    )


def logged_in(server: Server) -> str:
    """Return the cookie of a user that may list orders."""
    page = f"{server.url}/admin/login/"
    with requests.Session() as session:
        session.get(page, timeout=10).raise_for_status()
        token = next(cookie.value for cookie in session.cookies if cookie.name.endswith("csrf"))
        form = {"username": STAFF["SUPERUSER_NAME"], "password": STAFF["SUPERUSER_PASSWORD"]}
        session.post(page, form | {"csrfmiddlewaretoken": token}, headers={"Referer": page}, timeout=10)
        return next(f"{cookie.name}={cookie.value}" for cookie in session.cookies if cookie.name.endswith("session"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of each measurement (default: %(default)g)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all sizes (default: %(default)s)")
    parser.add_argument("--only", default="", help="measure the requests whose path has this text")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in case[2]]
    found: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        endpoint = stack.enter_context(sink())
        sizes = {rows: stack.enter_context(prepared_databases()) for rows in SIZES}
        for rows, databases in sizes.items():
            fill(databases, rows, directory, {service for _, service, _ in cases})
            env = STAFF | {"DATABASE_URL": databases["orders"]}
            manage("orders_project", "ensure_superuser", env=env).check_returncode()
        for _ in range(options.rounds):
            for rows, databases in sizes.items():
                with subject("argos", databases, endpoint) as servers:
                    staff = logged_in(servers["orders"])
                    for method, service, path in cases:
                        url = path.format(middle=rows // 2, cursor=cursor_of(rows // 2))
                        cookie = staff if (method, service) == ("GET", "orders") else ""
                        load(servers[service], method, url, 4, 1, cookie=cookie)  # warm
                        measured = load(servers[service], method, url, 4, options.seconds, cookie=cookie)
                        if measured["errors"]:
                            raise SystemExit(f"{method} {url}: {measured['errors']:.0f} errors")
                        found.setdefault((f"{method} {path}", rows), []).append(measured["rps"])
    medians = {key: statistics.median(values) for key, values in found.items()}
    few, many = SIZES
    print(f"| request | {few:,} rows, /s | {many:,} rows, /s | time, many to few |\n|---|---|---|---|")
    for method, _, path in cases:
        one, other = (medians[f"{method} {path}", rows] for rows in SIZES)
        print(f"| `{method} {path}` | {one:.0f} | {other:.0f} | {one / other:.2f}x |")


if __name__ == "__main__":
    main()
