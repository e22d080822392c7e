"""Serve products: settings, tracing, application."""

from __future__ import annotations

from ops.startup import begin

begin("products_project.settings")

from django.conf import settings

from ops.server.wsgi import get_application
from ops.telemetry.tracing import start_tracing

start_tracing(settings.CONFIG)  # before the application, whose middleware it adds to
application = get_application()
