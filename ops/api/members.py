"""Names that a request may use: an unknown one is refused, with the name that was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.settings import api_settings

CODE = "unknown"
# Shown to the client. Other text, such as a token, may stand in the wrong place.
REPEATABLE = re.compile(r"[A-Za-z][A-Za-z_.-]{0,31}", re.ASCII)
USUAL = {  # as other APIs call it
    "limit": "page_size",
    "per_page": "page_size",
    "size": "page_size",
    "q": "search",
    "sort": "ordering",
    "order": "ordering",
    "query": "search",
    "page": "cursor",
    "offset": "cursor",
}


def unknown_names(names: Iterable[str], known: Iterable[str], whole: str) -> dict[str, list[ErrorDetail]]:
    """Return an error for each name that is not known; `whole` says what should have had it."""
    known = sorted(known)
    found: dict[str, list[ErrorDetail]] = {}
    for name in names:
        if name not in known:
            field = name if REPEATABLE.fullmatch(name) else api_settings.NON_FIELD_ERRORS_KEY
            detail = f"There is no such name in {whole}; {_advice(name, known)}."
            found.setdefault(field, [ErrorDetail(detail, CODE)])
    return found


def _advice(name: str, known: list[str]) -> str:
    close = [USUAL[name]] if USUAL.get(name) in known else get_close_matches(name[:64], known, 1)
    if close:
        return f"{close[0]} may be meant"
    return f"it takes {', '.join(known)}" if known else "it takes none"


class KnownMembers(serializers.Serializer[Any]):
    """Refuse members that the serializer lacks. One that is only read, such as `id`, may be sent back."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = unknown_names(data, self.fields, "the body") if isinstance(data, Mapping) else {}
        if not unknown:
            return super().to_internal_value(data)
        try:
            super().to_internal_value(data)
        except ValidationError as error:
            detail: Any = error.detail  # of a serializer always a dict
            raise ValidationError({**detail, **unknown}) from None
        raise ValidationError(unknown)
