"""What recovery counts. It serves no /metrics: `recover_orders` leaves this with the metrics of commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from prometheus_client import Counter

from ops.cli.run_metrics import CounterReport

orders_recovered_total = Counter(
    "orders_recovered_total", "Orders that recover_orders looked into, by how that ended.", ["outcome"], registry=None
)


@contextmanager
def reported() -> Iterator[CounterReport]:
    """Yield what publishes the counts now and then; publish the last ones."""
    report = CounterReport(settings.CONFIG, command="recover_orders", counters=[orders_recovered_total])
    try:
        yield report
    finally:
        report.publish()
