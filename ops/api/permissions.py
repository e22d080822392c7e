"""Permissions of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework import permissions
from rest_framework.exceptions import APIException, NotAuthenticated
from rest_framework.request import Request

from ops.api.authentication import challenge
from ops.identity.credentials import AccessToken, Caller

if TYPE_CHECKING:  # rest_framework.views reads the settings, and so this module
    from rest_framework.views import APIView


class InsufficientScope(APIException):
    """The access token is valid, but lacks the scope of this operation (RFC 6750, section 3.1)."""

    code = "insufficient_scope"
    default_code = code
    status_code = 403

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__(f"The access token lacks the scope {' or '.join(scopes)}.")
        # One scope: of several, all would be required.
        self.headers = {"WWW-Authenticate": challenge(error=self.code, scope=scopes[0])}


def subject_of(request: Request) -> str | None:
    """Return the `sub` of the client's access token; None if it has none."""
    return request.auth.subject if isinstance(request.auth, AccessToken) else None


class IsStaff(permissions.IsAdminUser):
    """Allow staff, and methods that the view lacks, so that every client gets their 405."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method not in view.allowed_methods or super().has_permission(request, view)


class IsService(permissions.BasePermission):
    """Allow the services that the view names in `callers`, and any that shows SERVICE_TOKEN, which names none.

    Methods that the view lacks are allowed, so that every client gets their 405.
    """

    message = "The token is of a service that does not use this operation."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.method not in view.allowed_methods:
            return True
        if isinstance(request.auth, Caller):
            return request.auth.service in (None, *getattr(view, "callers", ()))
        if "HTTP_AUTHORIZATION" in request.META:
            raise NotAuthenticated("The credential is not a service's token.")
        raise NotAuthenticated("This path is for services: send a service's token as a bearer token.")


class HasScope(IsStaff):
    """Allow staff, and clients whose access token has one of the scopes; the first one opens the least.

    With `anonymous`, clients without a credential too. A credential is judged also where the client could do without.
    """

    def __init__(self, *scopes: str, anonymous: bool = False) -> None:
        self.scopes = scopes
        self.anonymous = anonymous

    def has_permission(self, request: Request, view: APIView) -> bool:
        if self.anonymous and "HTTP_AUTHORIZATION" not in request.META:
            return True
        if not isinstance(request.auth, AccessToken):
            return (self.anonymous and request.user.is_authenticated) or super().has_permission(request, view)
        if request.method in view.allowed_methods and request.auth.scopes.isdisjoint(self.scopes):
            raise InsufficientScope(self.scopes)
        return True
