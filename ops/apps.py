"""Django's hook into the package."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class OpsConfig(AppConfig):
    """Register the system checks, measure the queries, say in the metrics what runs, and switch fault points on."""

    name = "ops"

    def ready(self) -> None:
        # Only once the settings are loaded.
        from ops import checks, fault_points, measured_cursors, metrics  # noqa: F401, PLC0415

        measured_cursors.install()
        metrics.describe_build(settings.CONFIG)
        fault_points.switch_on(settings.CONFIG.fault_point)
