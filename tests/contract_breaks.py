"""Name each change of the OpenAPI documents that breaks a client of the last release, unless it is declared.

docs/openapi/README.md says what counts as a break. Only the keywords that drf-spectacular writes for our code are read.
"""

from __future__ import annotations

import json
import operator
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

Json = dict[str, Any]

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "openapi"
SERVICES = sorted(path.stem for path in (FOLDER / "released").glob("*.json"))
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
LOWER_BOUNDS = ("minimum", "minLength", "minItems", "exclusiveMinimum")
UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "exclusiveMaximum")
OTHER_KEYWORDS = ("pattern", "format", "const", "oneOf", "anyOf", "not", "additionalProperties")
ANY_TYPE = frozenset({"string", "number", "boolean", "object", "array", "null"})


def breaks(before: Json, after: Json) -> Iterator[str]:
    """Yield each breaking change between two documents."""
    for path, operations in before["paths"].items():
        if path not in after["paths"]:
            yield f"{path}: the path was removed"
            continue
        for method in (method for method in METHODS if method in operations):
            at = f"{method.upper()} {path}"
            if method in after["paths"][path]:
                yield from _Operation(at, before, after).breaks(operations[method], after["paths"][path][method])
            else:
                yield f"{at}: the operation was removed"


class _Operation:
    """One operation of both documents."""

    def __init__(self, at: str, before: Json, after: Json) -> None:
        self.at, self.before, self.after = at, before, after

    def breaks(self, old: Json, new: Json) -> Iterator[str]:
        yield from self._security(old, new)
        yield from self._parameters(old, new)
        if "requestBody" in old or new.get("requestBody", {}).get("required"):
            yield from self._body(f"{self.at}, body", old.get("requestBody", {}), new.get("requestBody", {}), sent=True)
        for status, answer in old["responses"].items():
            at = f"{self.at}, {status}"
            if status not in new["responses"]:
                yield f"{at}: the status was removed"
                continue
            found = new["responses"][status]
            for header in answer.get("headers", {}):
                if header not in found.get("headers", {}):
                    yield f"{at}: the header {header} was removed"
            yield from self._body(at, answer, found, sent=False)

    def _security(self, old: Json, new: Json) -> Iterator[str]:
        now = new.get("security") or [{}]
        for choice in old.get("security") or [{}]:
            if not any(set(wanted) <= set(choice) for wanted in now):
                yield f"{self.at}: the credential {' and '.join(choice) or 'none'} is not accepted any more"

    def _parameters(self, old: Json, new: Json) -> Iterator[str]:
        was, now = ({(each["in"], each["name"]): each for each in side.get("parameters", [])} for side in (old, new))
        for (place, name), parameter in was.items():
            at = f"{self.at}, {place} parameter {name}"
            if (place, name) not in now:
                yield f"{at}: it was removed"
            else:
                yield from self._schema(at, parameter["schema"], now[place, name]["schema"], sent=True)
        for (place, name), parameter in now.items():
            if parameter.get("required") and not was.get((place, name), {}).get("required"):
                yield f"{self.at}, {place} parameter {name}: it is required now"

    def _body(self, at: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        if sent and new.get("required") and not old.get("required"):
            yield f"{at}: it is required now"
        for media_type, content in old.get("content", {}).items():
            if media_type in new.get("content", {}):
                now = new["content"][media_type]
                yield from self._schema(at, content.get("schema", {}), now.get("schema", {}), sent=sent)
            else:
                yield f"{at}: the media type {media_type} was removed"

    def _schema(self, at: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        """Compare two schemas, of what the client sends or of what it gets."""
        was, now = _resolved(self.before, old), _resolved(self.after, new)
        lost = _types(was) - _types(now) if sent else _types(now) - _types(was)
        if lost:
            yield f"{at}: the type changed from {_shown(was.get('type'))} to {_shown(now.get('type'))}"
        yield from _enum_breaks(at, was, now, sent=sent)
        yield from _narrowed(at, was, now) if sent else _changed(at, was, now)
        if "items" in was and "items" in now:
            yield from self._schema(f"{at}[]", was["items"], now["items"], sent=sent)
        members = now.get("properties", {})
        for name, member in was.get("properties", {}).items():
            where = f"{at}, {name}"
            if name not in members:
                yield f"{where}: the member was removed"
                continue
            if not sent and name in was.get("required", ()) and name not in now.get("required", ()):
                yield f"{where}: the member is optional now"
            yield from self._schema(where, member, members[name], sent=sent)
        if sent:
            for name in now.get("required", ()):
                if name not in was.get("required", ()):
                    yield f"{at}, {name}: the member is required now"


def _resolved(document: Json, schema: Json) -> Json:
    """Return a schema without $ref and allOf at its top."""
    if "$ref" in schema:
        target = reduce(lambda found, name: found[name], schema["$ref"].removeprefix("#/").split("/"), document)
        schema = target | {name: value for name, value in schema.items() if name != "$ref"}
        return _resolved(document, schema)
    merged = {name: value for name, value in schema.items() if name != "allOf"}
    for part in schema.get("allOf", ()):
        found = _resolved(document, part)
        properties = merged.get("properties", {}) | found.get("properties", {})
        required = [*merged.get("required", ()), *found.get("required", ())]
        merged |= found | ({"properties": properties, "required": required} if properties else {})
    return merged


def _types(schema: Json) -> frozenset[str]:
    """Return the types of a schema; an integer is a number too, so integer to number widens."""
    declared = schema.get("type", sorted(ANY_TYPE))
    found = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(found | {"integer"} if "number" in found else found)


def _enum_breaks(at: str, was: Json, now: Json, *, sent: bool) -> Iterator[str]:
    """A value that went breaks both sides: clients send it, or wait for it."""
    for value in was.get("enum", ()):
        if "enum" in now and value not in now["enum"]:
            yield f"{at}: the value {_shown(value)} was removed"
    if sent and "enum" in now and "enum" not in was:
        yield f"{at}: only {_shown(now['enum'])} is accepted now"


def _narrowed(at: str, was: Json, now: Json) -> Iterator[str]:
    for names, tighter in ((LOWER_BOUNDS, operator.gt), (UPPER_BOUNDS, operator.lt)):
        for name in names:
            if name in now and (name not in was or tighter(now[name], was[name])):
                yield f"{at}: {name} changed from {_shown(was.get(name))} to {_shown(now[name])}"
    for name in OTHER_KEYWORDS:
        if name in now and now[name] != was.get(name, {} if name == "additionalProperties" else None):
            yield f"{at}: {name} changed from {_shown(was.get(name))} to {_shown(now[name])}"


def _changed(at: str, was: Json, now: Json) -> Iterator[str]:
    """Yield what a client reads in another way; wider bounds of an answer break no client."""
    for name in ("format", "const", "oneOf", "anyOf"):
        if now.get(name) != was.get(name):
            yield f"{at}: {name} changed from {_shown(was.get(name))} to {_shown(now.get(name))}"


def _shown(value: Any) -> str:
    return "unset" if value is None else json.dumps(value)


def undeclared(folder: Path, service: str, declared: Mapping[str, Any]) -> Iterator[str]:
    """Yield each break that is not declared, and each declaration without a break or without a reason."""
    before, after = (json.loads((folder / at / f"{service}.json").read_text("utf-8")) for at in ("released", "."))
    found = list(dict.fromkeys(breaks(before, after)))
    yield from (f"{service}: {line}" for line in found if line not in declared)
    for line, reason in declared.items():
        if line not in found:
            yield f"breaks.toml: {service} has no such break, so remove it: {line}"
        elif not isinstance(reason, str) or not reason.strip():
            yield f"breaks.toml: {service} gives no reason for: {line}"


def main(folder: Path = FOLDER) -> None:
    declared = tomllib.loads((folder / "breaks.toml").read_text("utf-8"))
    found = [line for service in SERVICES for line in undeclared(folder, service, declared.get(service, {}))]
    if found:
        found.append("A client of the last release would fail. docs/openapi/README.md says how to declare a break.")
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
