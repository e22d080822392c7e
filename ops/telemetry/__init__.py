"""Logs, metrics and traces."""

from __future__ import annotations

import os

from ops.telemetry.otel_environment import remove_faulty

FAULTS = remove_faulty(os.environ)  # before any module of OpenTelemetry reads them
