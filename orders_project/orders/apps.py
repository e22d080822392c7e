"""Django's hook into the app."""

from __future__ import annotations

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Register the gauges of pending orders."""

    name = "orders_project.orders"
    label = "orders"

    def ready(self) -> None:
        from ops.telemetry.backlog import register_backlog  # noqa: PLC0415 - only once the settings are loaded
        from orders_project.orders import selectors  # noqa: PLC0415 - likewise

        pending = "Pending orders: neither confirmed nor rejected yet."
        register_backlog("orders_pending", pending, selectors.orders_pending)
        age = "Age of the oldest pending order."
        register_backlog("orders_oldest_pending_age_seconds", age, selectors.oldest_pending_age_seconds)
