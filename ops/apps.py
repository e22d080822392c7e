"""Django's hook into the package."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import global_settings, settings
from django.core.cache import close_caches
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries


class OpsConfig(AppConfig):
    """Register the system checks, measure queries, set argos_build_info and arm fault points."""

    name = "ops"

    def ready(self) -> None:
        # Only after the settings are loaded.
        from ops.diagnosis import checks  # noqa: F401, PLC0415
        from ops.telemetry import measured_cursors, metrics  # noqa: PLC0415
        from ops.testing import fault_points  # noqa: PLC0415

        measured_cursors.install()
        # Three of Django's four actions around each request are useless here. Only DEBUG records the queries that it
        # resets. The caches that it closes do not exist. It closes old connections before a request, although it did
        # so after the previous one.
        request_started.disconnect(close_old_connections)
        if not settings.DEBUG:
            request_started.disconnect(reset_queries)
        if settings.CACHES == global_settings.CACHES:
            request_finished.disconnect(close_caches)
        metrics.describe_build(settings.CONFIG)
        fault_points.switch_on(settings.CONFIG.fault_point)
