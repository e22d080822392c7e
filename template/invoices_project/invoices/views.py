"""HTTP for invoices."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.permissions import AllowAny

from invoices_project.invoices.models import Invoice
from invoices_project.invoices.serializers import InvoiceSerializer


@extend_schema_view(get=extend_schema(summary="Read the invoice of an order"))
class InvoiceDetail(generics.RetrieveAPIView[Invoice]):
    """The invoice of one order."""

    permission_classes = [AllowAny]  # without this line, only staff may read
    queryset = Invoice.objects.all()
    serializer_class = InvoiceSerializer
    lookup_url_kwarg = "order_id"
