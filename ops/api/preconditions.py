"""Entity tags, and the preconditions that name them (RFC 9110, section 13)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson
from django.http import HttpResponseNotModified
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from ops.api.problems import DomainError
from ops.api.renderers import MEDIA_TYPE, answer

_TAG = r'(?:W/)?"[!#-~\u0080-\u00ff]*"'
EACH = re.compile(_TAG)
TAGS = re.compile(rf"\*|[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")  # a list may have empty elements
REVALIDATE = "no-cache"  # a cache may keep the answer and asks each time, so a change shows at once


class PreconditionFailed(DomainError):
    """The resource is not as the precondition says; nothing was changed."""

    code = "precondition_failed"
    status = 412
    detail = "The resource is not as If-Match or If-None-Match says. Nothing was changed; read it again."


def entity_tag(*values: Any) -> str:
    """Return a strong tag of the JSON values that an answer shows."""
    return f'"{blake2b(orjson.dumps(values), digest_size=12).hexdigest()}"'


def is_conditional(request: Request) -> bool:
    """Return whether the request has a precondition."""
    meta = request.META
    return "HTTP_IF_MATCH" in meta or "HTTP_IF_NONE_MATCH" in meta


def is_current(request: Request, tag: str) -> bool:
    """Return whether the client holds this representation; raise PreconditionFailed or ValidationError.

    If-Match comes first and compares strongly, If-None-Match weakly (sections 13.1 and 13.2.2).
    """
    wanted, held = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    if wanted is not None and not {"*", tag} & wanted:
        raise PreconditionFailed
    if held is None or not {"*", tag, f"W/{tag}"} & held:
        return False
    if request.method not in SAFE_METHODS:
        raise PreconditionFailed
    return True


def _tags(request: Request, header: str) -> set[str] | None:
    value = request.headers.get(header)
    if value is None:
        return None
    if not TAGS.fullmatch(value):
        raise ValidationError({header: 'must be * or a list of entity tags such as "1f4a"'})
    return {"*"} if value == "*" else set(EACH.findall(value))


def tagged_answer(request: Request, data: Any, tag: str, headers: Mapping[str, str] | None = None) -> HttpResponseBase:
    """Return the answer of a read with its tag, or 304 if the client holds it; a page for browsers has no tag."""
    response = answer(request, data, headers=headers)
    if request.accepted_media_type == MEDIA_TYPE:
        if is_conditional(request) and is_current(request, tag):
            response = HttpResponseNotModified(headers=headers)
        response["ETag"] = tag
        response["Cache-Control"] = REVALIDATE
    return response


def _header(name: str, schema: dict[str, Any], description: str = "", **where: Any) -> OpenApiParameter:
    return OpenApiParameter(
        name, {"type": "string", **schema}, OpenApiParameter.HEADER, description=description, **where
    )


# For the OpenAPI document.
LISTED = {"pattern": f"^(?:{TAGS.pattern})$"}
IF_MATCH = _header("If-Match", LISTED, "`*`, or tags: if the resource has another one, the answer is 412")
CONDITIONAL_WRITE = [IF_MATCH, _header("If-None-Match", LISTED, "tags: if the resource has one, the answer is 412")]
CONDITIONAL_READ = [
    IF_MATCH,
    _header("If-None-Match", LISTED, "the tags that the client holds: if one is current, the answer is 304"),
    _header("ETag", {}, "changes with the answer", response=[200, 304]),
    _header("Cache-Control", {"enum": [REVALIDATE]}, response=[200, 304]),
]
PROBLEM = {412: "`precondition_failed`: the resource has another tag"}
