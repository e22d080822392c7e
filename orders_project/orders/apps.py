"""Django's hook into the app."""

from __future__ import annotations

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Register the gauges of pending orders."""

    name = "orders_project.orders"
    label = "orders"

    def ready(self) -> None:
        from ops.telemetry.backlog import register_backlog  # noqa: PLC0415 - only once the settings are loaded
        from orders_project.orders.backlog import BACKLOG  # noqa: PLC0415 - likewise

        for gauge in BACKLOG:
            register_backlog(*gauge)
