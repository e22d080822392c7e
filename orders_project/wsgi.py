"""Serve orders: settings, tracing, application."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders_project.settings")

from django.conf import settings

from ops.tracing import start_tracing
from ops.wsgi import get_application

start_tracing(settings.CONFIG)  # before the application, whose middleware it adds to
application = get_application()
