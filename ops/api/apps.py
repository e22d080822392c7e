"""The admin of Django with a stricter site."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class StrictAdminConfig(AdminConfig):
    """Make the strict site the one that models register with."""

    default_site = "ops.api.admin_site.StrictAdminSite"
