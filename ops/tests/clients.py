"""Test clients: anonymous, a user without rights, and staff."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from rest_framework.test import APIClient

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def anonymous() -> APIClient:
    return APIClient(raise_request_exception=False)


def _logged_in(name: str, **rights: Any) -> APIClient:
    client = anonymous()
    client.force_login(User.objects.get_or_create(username=name, defaults=rights)[0])
    return client


def customer() -> APIClient:
    return _logged_in("customer")


def staff() -> APIClient:
    return _logged_in("staff", is_staff=True, is_superuser=True)
