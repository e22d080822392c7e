"""The credential of services: `Authorization: Bearer` with SERVICE_TOKEN (RFC 6750).

A token does not identify a user. Such a request has no session and no form, so it needs no CSRF token.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ops.api.openapi import SERVICE_SCHEME
from ops.config.service import ServiceConfig

if TYPE_CHECKING:  # rest_framework.views reads the settings
    from rest_framework.views import APIView

SCHEME = "Bearer"
SERVICE = "service"  # the value of request.auth: never the token, which an error report could show


def is_known(token: str, config: ServiceConfig) -> bool:
    """Return whether the text is the current or the previous token, in constant time."""
    sent = token.encode(errors="replace")
    known = [secret for secret in (config.service_token, config.service_token_previous) if secret is not None]
    # A sum, so that every comparison runs.
    return sum(hmac.compare_digest(sent, secret.get_secret_value().encode()) for secret in known) > 0


class ServiceTokenAuthentication(BaseAuthentication):
    """Recognize a service by its token; `IsService` refuses the others."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == SCHEME.lower() and is_known(token.strip(" "), settings.CONFIG):
            return AnonymousUser(), SERVICE
        return None

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class IsService(BasePermission):
    """Allow services, and methods that the view lacks, so that every client gets their 405."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if request.auth == SERVICE or request.method not in view.allowed_methods:
            return True
        if "HTTP_AUTHORIZATION" in request.META:
            raise NotAuthenticated("The credential is not a valid service token.")
        raise NotAuthenticated("This path is for services: send the service token as a bearer token.")


class ServiceTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # the library has no types
    """Describe the credential in the OpenAPI document."""

    target_class = ServiceTokenAuthentication
    name = SERVICE_SCHEME

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "`SERVICE_TOKEN`: for services, not for people."}
