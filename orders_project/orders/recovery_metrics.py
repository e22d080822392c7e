"""The counter of recovery, for the /metrics of `recover_orders` alone: the web process recovers no order."""

from __future__ import annotations

from prometheus_client import Counter

orders_recovered_total = Counter(
    "orders_recovered_total", "Orders that recover_orders settled or released, by outcome.", ["outcome"], registry=None
)
