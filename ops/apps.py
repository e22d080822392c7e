"""Django's hook into the package."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import global_settings, settings
from django.core.cache import close_caches
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries


class OpsConfig(AppConfig):
    """Register the system checks, measure the queries, say in the metrics what runs, and switch fault points on."""

    name = "ops"

    def ready(self) -> None:
        # Only once the settings are loaded.
        from ops.diagnosis import checks  # noqa: F401, PLC0415
        from ops.telemetry import measured_cursors, metrics  # noqa: PLC0415
        from ops.testing import fault_points  # noqa: PLC0415

        measured_cursors.install()
        # Three of the four things that Django does around each request have no use here: it asks every connection for
        # what only DEBUG records, every cache to close, where there is none, and looks for connections to close before
        # a request, as it did after the one before it.
        request_started.disconnect(close_old_connections)
        if not settings.DEBUG:
            request_started.disconnect(reset_queries)
        if settings.CACHES == global_settings.CACHES:
            request_finished.disconnect(close_caches)
        metrics.describe_build(settings.CONFIG)
        fault_points.switch_on(settings.CONFIG.fault_point)
