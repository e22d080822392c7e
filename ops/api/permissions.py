"""Who may use an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework import permissions
from rest_framework.request import Request

if TYPE_CHECKING:  # rest_framework.views reads the settings, and so this module
    from rest_framework.views import APIView


class IsStaff(permissions.IsAdminUser):
    """Let staff in, and let a method that the view lacks through to its 405, which is the same for everyone."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method not in view.allowed_methods or super().has_permission(request, view)
