"""Django's hook into the package."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class OpsConfig(AppConfig):
    """Register the system checks, measure the queries, and say in the metrics what runs."""

    name = "ops"

    def ready(self) -> None:
        from ops import checks, measured_cursors, metrics  # noqa: F401, PLC0415 - only once the settings are loaded

        measured_cursors.install()
        metrics.describe_build(settings.CONFIG)
