"""A trace as a waterfall: each span below its parent, with the place of its bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.development.store import Span

MOST_DEPTH = 8  # steps of indentation; deeper spans stand no further to the right


@dataclass(frozen=True)
class Row:
    """A span and where it stands; `left` and `width` are shares of the trace, in percent, as CSS takes them."""

    span: Span
    depth: int
    left: str
    width: str
    milliseconds: str


def rows(spans: Sequence[Span]) -> list[Row]:
    """Return the rows of a trace's spans, which are in the order of their start."""
    begun, whole = spans[0].started, max(max(span.ended for span in spans) - spans[0].started, 1)
    return [
        Row(
            span=span,
            depth=min(depth, MOST_DEPTH),
            left=f"{100 * (span.started - begun) / whole:.2f}",
            width=f"{100 * max(span.ended - span.started, 0) / whole:.2f}",
            milliseconds=milliseconds(span.ended - span.started),
        )
        for span, depth in _in_order(spans)
    ]


def milliseconds(nanoseconds: int) -> str:
    """Return a duration for people."""
    return f"{nanoseconds / 1e6:.1f} ms"


def _in_order(spans: Sequence[Span]) -> Iterator[tuple[Span, int]]:
    """Yield each span once, with its depth; one whose parent is not here is a root."""
    known = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)
    waiting = [(span, 0) for span in reversed(children.get("", []))]
    while waiting:
        span, depth = waiting.pop()
        yield span, depth
        waiting += [(child, depth + 1) for child in reversed(children.pop(span.span_id, []))]
