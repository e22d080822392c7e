"""The use cases of invoices."""

from __future__ import annotations

from events.payloads import OrderConfirmed
from invoices_project.invoices.models import Invoice


def record_invoice(order: OrderConfirmed) -> None:
    """Store the invoice of a confirmed order, once; runs in the transaction that records the event."""
    invoice = Invoice(order_id=order.orderId, product_id=order.productId, quantity=order.quantity)
    Invoice.objects.bulk_create([invoice], ignore_conflicts=True)
