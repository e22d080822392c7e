"""Spans into protobuf, written as bytes; what most spans have in common is encoded once.

The library builds a message for each attribute of each span and hashes the resource for each span. That is nine tenths
of what a span costs after its end. The library still encodes the rare spans: those with events, links, a status or a
trace state.

https://protobuf.dev/programming-guides/encoding/
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

KEPT = 2048  # attributes; most repeat: methods, routes, statements; paths and ports do not all have to fit
LONGEST_KEPT = 1024  # characters of a value
PLAIN = {str, bool, int, float}  # the types of values that are written here

# A field's number and wire type in one byte: (number << 3) | type.
RESOURCE_SPANS, SCOPE_SPANS, SPANS = b"\x0a", b"\x12", b"\x12"
IDS = struct.Struct(">2s16s2s8s")  # trace_id and span_id, with tags and lengths before them
TIMES = struct.Struct("<cQcQ")  # start and end, in nanoseconds
NO_STATUS = b"\x7a\x00"
FLAGS, REMOTE_PARENT = b"\x85\x01\x00\x01\x00\x00", b"\x85\x01\x00\x03\x00\x00"  # SpanFlags


def delimited(tag: bytes, content: bytes) -> bytes:
    """Return a field that holds bytes, text or a message."""
    length = len(content)
    encoded = bytearray(tag)
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + content


@lru_cache(maxsize=KEPT, typed=True)  # typed, as 1 == True
def _kept_attribute(key: str, value: str | int | float) -> bytes:
    return _attribute(key, value)


def _attribute(key: str, value: str | int | float) -> bytes:
    if isinstance(value, str):
        held = AnyValue(string_value=value)
    elif isinstance(value, bool):
        held = AnyValue(bool_value=value)
    elif isinstance(value, int):
        held = AnyValue(int_value=value)
    else:
        held = AnyValue(double_value=value)
    encoded: bytes = Span(attributes=[KeyValue(key=key, value=held)]).SerializeToString()
    return encoded


@lru_cache(maxsize=KEPT)
def _name_and_kind(name: str, kind: SpanKind) -> bytes:
    return delimited(b"\x2a", name.encode()) + bytes((0x30, kind.value + 1))  # OTLP counts from "unspecified"


def encode_span(span: ReadableSpan) -> bytes:
    """Return a span's message."""
    context, parent = span.context, span.parent
    attributes: Any = span.attributes
    if (
        span.events
        or span.links
        or span.status.status_code is not StatusCode.UNSET
        or span.dropped_attributes
        or context.trace_state
        or not PLAIN.issuperset(map(type, attributes.values()))
    ):
        encoded: bytes = _library_message(span).scope_spans[0].spans[0].SerializeToString()
        return encoded
    parts = [
        IDS.pack(b"\x0a\x10", context.trace_id.to_bytes(16, "big"), b"\x12\x08", context.span_id.to_bytes(8, "big")),
        b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
        _name_and_kind(span.name, span.kind),
        TIMES.pack(b"\x39", span.start_time, b"\x41", span.end_time),
    ]
    for key, value in attributes.items():
        is_long = isinstance(value, str) and len(value) > LONGEST_KEPT
        parts.append((_attribute if is_long else _kept_attribute)(key, value))
    parts += NO_STATUS, REMOTE_PARENT if parent and parent.is_remote else FLAGS
    return b"".join(parts)


def _library_message(span: ReadableSpan) -> ResourceSpans:
    message: ResourceSpans = encode_spans([span]).resource_spans[0]
    return message


def encode_request(spans: Sequence[ReadableSpan]) -> bytes:
    """Return the ExportTraceServiceRequest that exports these spans, by resource and scope."""
    groups: dict[tuple[int, int], tuple[ReadableSpan, list[bytes]]] = {}
    for span in spans:
        _, encoded = groups.setdefault((id(span.resource), id(span.instrumentation_scope)), (span, []))
        encoded.append(delimited(SPANS, encode_span(span)))
    return b"".join(_resource_spans(first, encoded) for first, encoded in groups.values())


def _resource_spans(one: ReadableSpan, spans: Sequence[bytes]) -> bytes:
    message = _library_message(one)
    scope = message.scope_spans[0]
    del message.scope_spans[:], scope.spans[:]
    scope_spans = delimited(SCOPE_SPANS, scope.SerializeToString() + b"".join(spans))
    return delimited(RESOURCE_SPANS, message.SerializeToString() + scope_spans)
