"""OpenAPI: every operation documents its problems."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from django.conf import settings
from drf_spectacular import authentication
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from ops.api.members import KnownMembers
from ops.api.problems import CONTENT_TYPE, reason_phrase

# The range of a path's `<int:…>`: a signed 64-bit key.
ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}
SERVICE_SCHEME, TOKEN_SCHEME = "serviceToken", "accessToken"  # the credentials of ops.api.authentication


MEMBERS = {"available": {"type": "integer", "minimum": 0, "description": "the pieces that are left"}}
REQUEST_ID = {"schema": {"type": "string"}, "description": "finds the request in the logs", "required": True}
RETRY_AFTER = {"schema": {"type": "integer", "minimum": 1}, "description": "seconds to wait before the next try"}
UNAVAILABLE = "`database_unavailable`, `busy` or `issuer_unavailable`, with Retry-After: nothing was changed"
CHALLENGE = {"schema": {"type": "string"}, "description": "the credential that is missing or wrong (RFC 6750)"}


class ProblemErrorSerializer(serializers.Serializer[Any]):
    """One invalid field or parameter."""

    field = serializers.CharField(help_text="dotted path of the field, or the parameter's name")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField(min_value=400, max_value=599)
    detail = serializers.CharField()
    code = serializers.CharField(help_text="stable and documented; what a client branches on")
    traceId = serializers.CharField(allow_null=True, help_text="finds the request in Jaeger and in the logs")  # noqa: N815 - wire name
    requestId = serializers.CharField(allow_null=True, help_text="the X-Request-ID of this request")  # noqa: N815 - wire name
    errors = ProblemErrorSerializer(many=True, required=False)  # type: ignore[assignment] # shadows Serializer.errors


class SessionScheme(authentication.SessionScheme):  # type: ignore[no-untyped-call] # the library has no types
    """Describe the session's cookie as the library does for its own class."""

    target_class = "ops.api.sessions.SessionAuthentication"


class ServiceTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # the library has no types
    """Describe the credential of services."""

    target_class = "ops.api.authentication.ServiceTokenAuthentication"
    name = SERVICE_SCHEME

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        description = "A token that another service has signed for this one: not for people."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}


class AccessTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # likewise
    """Describe the access token, and name the scopes of each operation, one of which is enough."""

    target_class = "ops.api.authentication.BearerAuthentication"
    name = TOKEN_SCHEME

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        scopes = "; ".join(f"`{name}`: {meaning}" for name, meaning in settings.SCOPES.items())
        description = f"An access token for this service. Scopes: {scopes}."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description}

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        permissions = auto_schema.view.get_permissions()
        return [{TOKEN_SCHEME: [scope]} for permission in permissions for scope in getattr(permission, "scopes", ())]


class ProblemSchema(AutoSchema):
    """Add the problems of an operation: the common ones, and those of its body, its permissions and its view."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["schema"] == {"type": "integer"}:
                parameter |= {"schema": ID, "example": 1}
        for status, description in sorted(self._problems(operation).items()):
            operation["responses"].setdefault(str(status), self._problem(status, description))
        for status, response in operation["responses"].items():
            response["description"] = response["description"] or reason_phrase(int(status))
            response.setdefault("headers", {})["X-Request-ID"] = REQUEST_ID
        if {} in operation.get("security", []):  # a lock, of which the cookie opens nothing
            shown = [one for one in operation["security"] if TOKEN_SCHEME in one]
            operation["security"] = [*shown, {}] if shown else []
        return operation

    def get_auth(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super().get_auth()
        is_optional = any(getattr(permission, "anonymous", False) for permission in self.view.get_permissions())
        return [*found, {}] if is_optional else found

    def _problem(self, status: int, description: str) -> dict[str, Any]:
        """Describe one response: the codes and the further members are those that its description names."""
        named = re.findall(r"`(\w+)`", description)
        properties = {name: MEMBERS[name] for name in named if name in MEMBERS}
        properties["code"] = {"type": "string", "enum": [name for name in named if name not in MEMBERS]}
        problem = self.resolve_serializer(ProblemSerializer, "response").ref
        schema = {"allOf": [problem, {"type": "object", "properties": properties}]}
        response = {"description": description, "content": {CONTENT_TYPE: {"schema": schema}}}
        headers = self._get_response_headers_for_code(str(status))
        if "Retry-After" in description:
            headers["Retry-After"] = RETRY_AFTER
        if status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = CHALLENGE
        return response | ({"headers": headers} if headers else {})

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call] # the library has no types
        if direction == "request" and isinstance(serializer, KnownMembers):
            schema["additionalProperties"] = False
        return schema

    def _problems(self, operation: dict[str, Any]) -> dict[int, str]:
        places = {parameter["in"] for parameter in operation.get("parameters", [])}
        found = {
            400: "`validation_error`, naming the parameter, or `bad_request`",
            406: "`not_acceptable`",
            500: "`internal_error`",
            503: UNAVAILABLE,
        }
        if "requestBody" in operation:
            found |= {
                400: "`validation_error`, naming each field, `parse_error` or `bad_request`",
                408: "`request_timeout`",
                413: "`request_too_large`",
                415: "`unsupported_media_type`",
            }
        if "path" in places:
            found |= {404: "`not_found`"}
        security = operation.get("security", [{}])
        takes_tokens = any(TOKEN_SCHEME in one for one in security)
        if {SERVICE_SCHEME: []} in security:
            found |= {
                401: "`not_authenticated` or `invalid_token`",
                403: "`permission_denied`: the token is of a service that does not use this operation",
            }
        elif {} not in security:
            found |= {
                401: "`not_authenticated` or `invalid_token`",
                403: "`permission_denied`, `csrf_failed` or `insufficient_scope`",
            }
        elif "requestBody" in operation:
            found |= {403: "`csrf_failed`: a session's cookie came without its CSRF token, or `insufficient_scope`"}
        elif takes_tokens:
            found |= {403: "`insufficient_scope`"}
        if takes_tokens:
            found.setdefault(401, "`invalid_token`, or `not_authenticated`: the credential is not an access token")
        own: dict[str, dict[int, str]] = getattr(self.view, "problems", {})
        return found | own.get(self.method, {})
