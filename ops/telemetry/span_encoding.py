"""Spans into protobuf, written as bytes with what is the same in most spans encoded once.

The library builds a message for each attribute of each span, hashes the resource, by way of its JSON, and the scope for
each span, and then encodes it all: nine tenths of what a span costs after it has ended, on the core that answers
requests. What is rare (events, links, a failure, whatever was dropped) is still encoded by the library.

https://protobuf.dev/programming-guides/encoding/
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from opentelemetry.exporter.otlp.proto.common import _internal as common_encoder
from opentelemetry.exporter.otlp.proto.common._internal import trace_encoder
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

KEPT = 2048  # attributes; most repeat: methods, routes, statements; paths and ports do not all have to fit
LONGEST_KEPT = 1024  # characters of a value

# A field's number and wire type in one byte: (number << 3) | type.
RESOURCE_SPANS, SCOPE_SPANS, SPANS, ATTRIBUTES = b"\x0a", b"\x12", b"\x12", b"\x4a"
IDS = struct.Struct(">2s16s2s8s")  # trace_id and span_id, with tags and lengths before them
TIMES = struct.Struct("<cQcQ")  # start and end, in nanoseconds
NO_STATUS = b"\x7a\x00"
FLAGS, REMOTE_PARENT = b"\x85\x01\x00\x01\x00\x00", b"\x85\x01\x00\x03\x00\x00"  # as the library's _span_flags has them


class EncodedRequest(bytes):
    """An ExportTraceServiceRequest, which the exporter asks to encode itself."""

    def SerializePartialToString(self) -> bytes:  # noqa: N802 - protobuf's name
        return self


def delimited(tag: bytes, content: bytes) -> bytes:
    """Return a field that holds bytes, text or a message."""
    length = len(content)
    encoded = bytearray(tag)
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + content


def _attribute(key: str, value: Any) -> bytes:
    return delimited(ATTRIBUTES, common_encoder._encode_key_value(key, value).SerializeToString())  # noqa: SLF001 - see install


_kept_attribute = lru_cache(maxsize=KEPT, typed=True)(_attribute)  # typed, as 1 == True


@lru_cache(maxsize=KEPT)
def _name_and_kind(name: str, kind: SpanKind) -> bytes:
    return delimited(b"\x2a", name.encode()) + bytes((0x30, kind.value + 1))  # OTLP counts from "unspecified"


def encode_span(span: ReadableSpan) -> bytes:
    """Return a span's message."""
    context, parent = span.context, span.parent
    if (
        span.events
        or span.links
        or span.status.status_code is not StatusCode.UNSET
        or span.dropped_attributes
        or context.trace_state
    ):
        encoded: bytes = trace_encoder._encode_span(span).SerializeToString()  # noqa: SLF001 - see install
        return encoded
    parts = [
        IDS.pack(b"\x0a\x10", context.trace_id.to_bytes(16, "big"), b"\x12\x08", context.span_id.to_bytes(8, "big")),
        b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
        _name_and_kind(span.name, span.kind),
        TIMES.pack(b"\x39", span.start_time, b"\x41", span.end_time),
    ]
    attributes: Any = span.attributes
    for key, value in attributes.copy().items():  # of a plain dictionary, whose items take no lock
        is_kept = isinstance(value, int) or (isinstance(value, str) and len(value) <= LONGEST_KEPT)
        parts.append((_kept_attribute if is_kept else _attribute)(key, value))
    parts += NO_STATUS, REMOTE_PARENT if parent and parent.is_remote else FLAGS
    return b"".join(parts)


def encode_spans(spans: Iterable[ReadableSpan]) -> EncodedRequest:
    """Return the request that exports these spans, by resource and scope."""
    groups: dict[tuple[int, int], tuple[ReadableSpan, list[bytes]]] = {}
    for span in spans:
        _, encoded = groups.setdefault((id(span.resource), id(span.instrumentation_scope)), (span, []))
        encoded.append(delimited(SPANS, encode_span(span)))
    return EncodedRequest(b"".join(_resource_spans(first, encoded) for first, encoded in groups.values()))


def _resource_spans(one: ReadableSpan, spans: Sequence[bytes]) -> bytes:
    scope: Any = one.instrumentation_scope  # which a tracer always has
    begin_of_scope = ScopeSpans(
        scope=common_encoder._encode_instrumentation_scope(scope),  # noqa: SLF001 - see install
        schema_url=scope.schema_url,
    )
    begin_of_resource = ResourceSpans(
        resource=common_encoder._encode_resource(one.resource),  # noqa: SLF001 - see install
        schema_url=one.resource.schema_url,
    )
    scope_spans = delimited(SCOPE_SPANS, begin_of_scope.SerializeToString() + b"".join(spans))
    return delimited(RESOURCE_SPANS, begin_of_resource.SerializeToString() + scope_spans)


def install() -> None:
    """Have the exporter encode through `encode_spans`: the library has no public place for it."""
    trace_exporter.encode_spans = encode_spans  # type: ignore[assignment,attr-defined] # likewise
