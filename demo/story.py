"""Tell the story of four faults: start the services, send seeded load, break one thing after the other, report.

Called by `make demo`. It uses the databases of `make run`. A report with charts is left in var/demo.html.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from urllib.parse import urlsplit

import requests

from demo import alerts, load, report
from demo.alerts import Alert, Watch
from demo.faults import ROOT, Fault, timetable
from demo.load import RATE, Answer

REPORT, LOG = ROOT / "var" / "demo.html", ROOT / "var" / "demo.log"
READY, PATIENCE = "Ctrl-C stops all of them.", 90  # seconds for the services to start, and for events to arrive
RESOLVED_WITHIN = 30  # seconds after the load


@contextmanager
def services() -> Iterator[tuple[str, str]]:
    """Run `make run`'s processes with their log in LOG; yield the URLs of products and orders."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("w") as log:
        run = subprocess.Popen(  # noqa: S603 - the script is our own
            [ROOT / "scripts" / "run"], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while READY not in LOG.read_text(errors="replace"):
            if run.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"The services did not start: {LOG.read_text(errors='replace')[-500:]}")
            time.sleep(0.1)
        ports = (
            os.environ.get(f"{name}_PORT", default) for name, default in (("PRODUCTS", "3001"), ("ORDERS", "3002"))
        )
        products, orders = (f"http://localhost:{port}" for port in ports)
        yield products, orders
    finally:
        run.terminate()
        run.wait()


def watching(products: str, orders: str) -> AbstractContextManager[Watch | None]:
    """Return what yields the watch over both services, or None where a program is missing."""
    if alerts.missing():
        return nullcontext()
    targets = {"products-service": products, "orders-service": orders}
    return alerts.watching({job: f"127.0.0.1:{urlsplit(url).port}" for job, url in targets.items()})


def tell(second: float, words: str) -> None:
    print(f"{second:5.1f} s  {words}", flush=True)


def play(seed: int, seconds: int, products: str, orders: str, watch: Watch | None) -> list[Answer]:
    """Send the load, break and mend in between, and tell what fires; return all answers."""
    faults = timetable()
    acts = sorted((act for fault in faults for act in fault.acts(seconds)), key=lambda act: act[0])

    def act_and_tell(second: float) -> None:
        while acts and acts[0][0] <= second:
            at, words, act = acts.pop(0)
            act()
            if words:
                tell(at, words)
        for words in watch.news() if watch else ():
            tell(second, words)

    begun = time.monotonic()
    if watch:
        watch.begun = time.time()
    try:
        answers = load.drive(seed, seconds, products, orders, act_and_tell)
    finally:
        for fault in faults:
            fault.mends()
    if watch:
        await_resolved(watch, begun)
    return answers


def await_resolved(watch: Watch, begun: float) -> None:
    """Tell what is resolved after the load; burn rates look back for minutes, so they may go on."""
    deadline = time.monotonic() + RESOLVED_WITHIN
    while any(not alert.is_slow for alert in watch.open) and time.monotonic() < deadline:
        for words in watch.news():
            tell(time.monotonic() - begun, words)
        time.sleep(0.1)


def felt(fault: Fault, answers: list[Answer], seconds: int) -> str:
    """Return what clients felt during the fault."""
    during = [answer for answer in answers if fault.begins * seconds <= answer.at < fault.ends * seconds]
    codes = Counter(f"{answer.status} {answer.code}" for answer in during if answer.status >= 500)
    errors = ", ".join(f"{count} x {code}" for code, count in codes.most_common()) or "no error of a server"
    slowest = max((answer.seconds for answer in during), default=0)
    return f"{len(during)} requests, {errors}; the slowest took {slowest:.2f} s."


def fired(fault: Fault, watch: Watch, seconds: int) -> list[Alert]:
    """Return the alerts that began after this fault and before the next one."""
    later = [other.begins * seconds for other in timetable() if other.begins > fault.begins]
    ends = min(later, default=float("inf"))
    return [alert for alert in watch.alerts if fault.begins * seconds <= alert.begins < ends]


def chapters(answers: list[Answer], seconds: int, watch: Watch | None) -> list[report.Chapter]:
    """Return the story of each fault."""
    told = []
    for fault in timetable():
        of_it = fired(fault, watch, seconds) if watch else None
        told.append(report.Chapter(fault, felt(fault, answers, seconds), of_it))
    return told


def units_sold(products: str) -> int:
    """Return how many pieces products has counted."""
    return sum(requests.get(f"{products}/products/{one}/stats", timeout=30).json()["unitsSold"] for one in (1, 2))


def confirmed(orders: str) -> float:
    """Return how many pieces orders has confirmed since it started."""
    metrics = requests.get(f"{orders}/metrics", timeout=30).text.splitlines()
    return sum(float(line.split()[1]) for line in metrics if line.startswith("orders_units_total "))


def main() -> None:
    """Run the story; exit with 1 if an order that was confirmed was not counted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the load; the same one sends the same requests")
    parser.add_argument("--seconds", type=int, default=60, choices=range(20, 121), metavar="20..120", help="of load")
    options = parser.parse_args()
    with services() as (products, orders), watching(products, orders) as watch:
        print(f"Seed {options.seed}, {RATE} requests a second for {options.seconds} s. Watch it at {orders}/dev")
        print(watch or alerts.MISSING, flush=True)
        before = units_sold(products)
        answers = play(options.seed, options.seconds, products, orders, watch)
        wanted = confirmed(orders)
        deadline = time.monotonic() + PATIENCE
        while units_sold(products) - before != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        counted = units_sold(products) - before
    told = chapters(answers, options.seconds, watch)
    result = f"Orders confirmed {wanted:.0f} pieces, and products counted {counted} by events."
    print("", *told, result, f"Report: {REPORT.relative_to(ROOT)}", sep="\n")
    title = f"Four faults in {options.seconds} seconds, seed {options.seed}"
    REPORT.write_text(report.page(title, told, answers, options.seconds, result), encoding="utf-8")
    sys.exit(0 if wanted == counted else 1)
