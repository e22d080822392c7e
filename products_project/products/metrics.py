"""Business metrics of products."""

from __future__ import annotations

from prometheus_client import Counter

from ops.api.problems import Busy
from products_project.products import errors

products_lookups_total = Counter("products_lookups_total", "Lookups of one product.", ["outcome"])
for outcome in ("found", "not_found"):
    products_lookups_total.labels(outcome)  # starts at 0, so that rate() sees the first event

RESERVED, RELEASED, TOMBSTONED, REPEATED = "held", "released", "buried", "repeated"

reservations_total = Counter("reservations_total", "Requests to reserve or to release, by outcome.", ["outcome"])
for outcome in (RESERVED, RELEASED, TOMBSTONED, REPEATED):
    reservations_total.labels(outcome)
for error in (
    errors.ProductNotFound,
    errors.OutOfStock,
    errors.ReservationCancelled,
    errors.ReservationReused,
    Busy,
):
    reservations_total.labels(error.code)
