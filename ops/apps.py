"""Django's hook into the package."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class OpsConfig(AppConfig):
    """Register the system checks, say in the metrics what runs, and switch fault points on where a test asks for it."""

    name = "ops"

    def ready(self) -> None:
        from ops import checks, fault_points, metrics  # noqa: F401, PLC0415 - only once the settings are loaded

        metrics.describe_build(settings.CONFIG)
        fault_points.switch_on(settings.CONFIG.fault_point)
