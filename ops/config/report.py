"""Report a configuration: each variable with its masked value, its origin and its fault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ops.config.service import ROOT, Reading, ServiceConfig
from ops.config.sources import Origin

MASK = "***"
OK = "ok"
# Everything up to the last @, as a password without quoting may contain a / or an @.
CREDENTIALS = re.compile(r"^([a-z][a-z0-9+.-]*://)([^:/@]*):.*@", re.IGNORECASE | re.DOTALL)
SHOWABLE_DATABASE = re.compile(r"(postgres(ql)?://([^:/@]*(:\*\*\*)?@)?[^:/@]+(:\d+)?/[^@]*|sqlite:///[^@]*)")


@dataclass(frozen=True)
class Variable:
    """One line of the report."""

    name: str
    value: str
    origin: Origin
    verdict: str


def describe(config_class: type[ServiceConfig], reading: Reading[ServiceConfig]) -> list[Variable]:
    """Return the report on every variable of the class, in the class's order."""
    return [
        Variable(
            name.upper(),
            _shown(name, field, reading),
            reading.origins[name.upper()],
            reading.faults.get(name.upper(), OK),
        )
        for name, field in config_class.model_fields.items()
    ]


def documented_default(field: FieldInfo) -> str:
    """Return a field's default as the documents show it, or an empty text."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:
        return str(extra["default"])
    return "" if field.default is PydanticUndefined else _text(field.default)


def is_secret(field: FieldInfo) -> bool:
    """Return whether a field's value must be hidden, also if it may be unset."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _shown(name: str, field: FieldInfo, reading: Reading[ServiceConfig]) -> str:
    if reading.config is not None:
        value = getattr(reading.config, name)
    elif name in reading.values:
        value = reading.values[name]
    else:
        return documented_default(field).replace("`", "")
    text = _text(value.get_secret_value() if isinstance(value, SecretStr) else value)
    if not text or not is_secret(field):
        return masked(text)
    masked_url = masked(text).replace(f"{ROOT}/", "")
    return masked_url if SHOWABLE_DATABASE.fullmatch(masked_url) else MASK


def masked(text: str) -> str:
    """Return the text without a password or a query, if it is a URL, and on one line."""
    url, question_mark, _ = CREDENTIALS.sub(rf"\1\2:{MASK}@", text).partition("?")
    shown = f"{url}?{MASK}" if question_mark else url
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown)


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return MASK
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
