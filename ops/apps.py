"""Django's hook into the package."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from ops.startup import end_imports


class OpsConfig(AppConfig):
    """Register the system checks, say in the metrics what runs, and switch fault points on."""

    name = "ops"

    def ready(self) -> None:
        # Only once the settings are loaded.
        from ops.diagnosis import checks  # noqa: F401, PLC0415
        from ops.telemetry import metrics, tracing  # noqa: PLC0415
        from ops.testing import fault_points  # noqa: PLC0415

        metrics.describe_build(settings.CONFIG)
        tracing.report_warnings()
        fault_points.switch_on(settings.CONFIG.fault_point)
        end_imports()
