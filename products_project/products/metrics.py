"""Business metrics of products."""

from __future__ import annotations

from prometheus_client import Counter

products_lookups_total = Counter("products_lookups_total", "Lookups of one product.", ["outcome"])
for outcome in ("found", "not_found"):
    products_lookups_total.labels(outcome)  # from 0 on, so that rate() sees the first
