"""Permissions of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework import permissions
from rest_framework.request import Request

if TYPE_CHECKING:  # rest_framework.views reads the settings, and so this module
    from rest_framework.views import APIView


class IsStaff(permissions.IsAdminUser):
    """Allow staff, and methods that the view lacks, so that every client gets their 405."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method not in view.allowed_methods or super().has_permission(request, view)
