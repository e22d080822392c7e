"""The paths of the invoices app."""

from __future__ import annotations

from django.urls import path

from invoices_project.invoices.views import InvoiceDetail

urlpatterns = [path("invoices/<int:order_id>", InvoiceDetail.as_view(), name="invoice-detail")]
