"""Apply an event once, however often and by whichever transport it arrives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from events.cloudevents import Event, InvalidEvent
from events.fault_points import EventStep
from events.inbox import metrics
from events.inbox.models import InboxEvent
from events.payloads import read_payload
from ops.testing.fault_points import fault_point

log = structlog.get_logger(__name__)

Handler = Callable[[Any], None]  # of the payload of its type

# The unique constraint decides; in PostgreSQL the second of two concurrent inserts waits for the first one's commit.
REMEMBER = f"""
    INSERT INTO {InboxEvent._meta.db_table} (source, event_id, type) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""  # noqa: S608, SLF001 - the name of the model's own table


def handle_event(event: Event) -> str:
    """Call the handler that settings.INBOX names for the event's type; return the outcome.

    The handler gets the event's payload, in the transaction that records the event. Data that the published schema
    forbids raises InvalidEvent. After any other exception, the event is retried.
    """
    handler = _handler(event.type) if event.type in settings.INBOX else None
    try:
        outcome = metrics.IGNORED if handler is None else _apply(event, handler)
    except InvalidEvent:
        metrics.count(event.type, metrics.INVALID)
        raise
    except Exception:
        metrics.count(event.type, metrics.FAILED)
        raise
    metrics.count(event.type, outcome)
    log.debug("event.taken", event_id=event.id, source=event.source, type=event.type, outcome=outcome)
    return outcome


def _apply(event: Event, handler: Handler) -> str:
    payload = read_payload(event)
    with fault_point(EventStep.HANDLE), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(REMEMBER, [event.source, event.id, event.type])
            if not cursor.rowcount:
                return metrics.DUPLICATE
        handler(payload)
    return metrics.APPLIED


@cache
def _handler(kind: str) -> Handler:
    handler: Handler = import_string(settings.INBOX[kind])
    return handler
