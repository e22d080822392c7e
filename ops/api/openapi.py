"""OpenAPI: every operation documents its problems."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular import authentication
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from ops.api.members import KnownMembers
from ops.api.problems import CONTENT_TYPE, reason_phrase

# The range of a path's `<int:…>`: a signed 64-bit key.
ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1}
SERVICE_SCHEME = "serviceToken"  # the credential of ops.api.authentication


MEMBERS = {"available": {"type": "integer", "minimum": 0, "description": "the pieces that are left"}}
REQUEST_ID = {"schema": {"type": "string"}, "description": "finds the request in the logs", "required": True}
RETRY_AFTER = {"schema": {"type": "integer", "minimum": 1}, "description": "seconds to wait before the next try"}
UNAVAILABLE = "`database_unavailable` or `busy`, with Retry-After: nothing was changed"


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
            operation["security"] = []
        return operation

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
        if {SERVICE_SCHEME: []} in security:
            found |= {401: "`not_authenticated`: no service token, or not this one"}
        elif {} not in security:
            found |= {403: "`not_authenticated`, `permission_denied` or `csrf_failed`"}
        elif "requestBody" in operation:
            found |= {403: "`csrf_failed`: a session's cookie came without its CSRF token"}
        own: dict[str, dict[int, str]] = getattr(self.view, "problems", {})
        return found | own.get(self.method, {})
