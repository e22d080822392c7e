"""Strict JSON input: UTF-8 only, limited size and depth, no duplicate names, no NaN."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from ops.api.problems import RequestTooLarge

MOST_LEVELS = 100  # of arrays and objects; Python's own limit differs by version, and 3.14 takes tens of thousands

_CHARSET = re.compile(r'charset\s*=\s*"?([^\s;"]+)', re.IGNORECASE)


class JSONParser(parsers.JSONParser):
    """Parse a body of `application/json` (RFC 8259); raise ParseError or RequestTooLarge."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        charset = _CHARSET.search(media_type or "")
        if charset and charset[1].lower() not in ("utf-8", "utf8"):
            raise ParseError("JSON is UTF-8 (RFC 8259, section 8.1); this charset is not supported.")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        request = (parser_context or {}).get("request")
        announced = int(request.META.get("CONTENT_LENGTH") or 0) if request is not None else 0
        if announced > limit:
            raise RequestTooLarge
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestTooLarge
        if len(body) < announced:  # even if the received part is valid JSON (RFC 9112, section 8)
            raise ParseError("The body is shorter than its Content-Length.")
        try:
            text = body.decode("utf-8")
            value = json.loads(
                text,
                object_pairs_hook=_refuse_duplicates,
                parse_constant=_refuse_constant,
                parse_int=_parse_int,
            )
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        except UnicodeDecodeError:
            raise ParseError("The body is not UTF-8.") from None
        except json.JSONDecodeError as error:
            raise ParseError(
                f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            ) from None
        if text.count("[") + text.count("{") > MOST_LEVELS and _is_deeper(value, MOST_LEVELS):
            raise ParseError("The JSON is nested too deeply.")
        return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether arrays and objects are nested in more levels, without recursion."""
    level = [value]
    for _ in range(levels + 1):
        containers = [item for item in level if isinstance(item, list | dict)]
        if not containers:
            return False
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    return True


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ParseError("A name occurs twice in one JSON object.")
    return members


def _refuse_constant(name: str) -> None:
    raise ParseError(f"{name} is not JSON.")


def _parse_int(digits: str) -> int:
    # Python refuses more than 4,300 digits. 400 digits exceed every limit already, so the client gets the error of a
    # number that is too large, not of an unreadable body.
    return int(digits[:400])
