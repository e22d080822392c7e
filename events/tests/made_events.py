"""Events as orders sends them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

CONFIRMED = "argos.order.confirmed.v1"


def confirmed(*, product_id: Any = 1, quantity: Any = 2, **members: Any) -> dict[str, Any]:
    """Return the event of a confirmed order."""
    data = {"orderId": 42, "productId": product_id, "quantity": quantity, "confirmedAt": "2026-11-20T09:30:00Z"}
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/orders-service",
        "type": CONFIRMED,
        "subject": "42",
        "time": "2026-11-20T09:30:00.123456Z",
        "datacontenttype": "application/json",
        "data": data,
    } | members
