"""Send the events of the outbox: at least once, and in order for each subject."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from events.backoff import retry_in
from events.fault_points import EventStep
from events.outbox import metrics, queue
from events.transports.contract import Transport
from ops.testing.fault_points import fault_point

log = structlog.get_logger(__name__)


@dataclass
class Relayed:
    """Count the results of one batch or many."""

    claimed: int = 0
    sent: int = 0
    failed: int = 0
    dead: int = 0
    unavailable: str | None = None

    def add(self, batch: Relayed) -> None:
        self.claimed += batch.claimed
        self.sent += batch.sent
        self.failed += batch.failed
        self.dead += batch.dead
        self.unavailable = batch.unavailable


def relay_batch(
    transport: Transport, *, limit: int, lease: float, max_attempts: int, stopping: Callable[[], bool] = lambda: False
) -> Relayed:
    """Send one batch of due events; release those that were not tried."""
    with fault_point(EventStep.CLAIM):
        claimed = queue.claim(limit=limit, lease=lease)
    result = Relayed(claimed=len(claimed))
    if not claimed:
        return result
    # Stop after half a lease. The rest is for events in flight, so that no other relay claims them.
    until = time.monotonic() + lease / 2
    with fault_point(EventStep.SEND):
        done = transport.send(
            [one.event for one in claimed], should_stop=lambda: stopping() or time.monotonic() > until
        )
    result.unavailable = done.unavailable
    if done.sent:
        with fault_point(EventStep.MARK_SENT):
            queue.mark_sent([claimed[place] for place in done.sent])
    for place in done.sent:
        metrics.events_published_total.labels(claimed[place].event.type, metrics.SENT).inc()
    result.sent = len(done.sent)
    for place, error in done.failed.items():
        _note_failure(claimed[place], error, max_attempts, result)
    if done.failed:  # one line for each batch, as all its events often fail for one reason
        first = claimed[min(done.failed)].event
        log.warning(
            "events.not_sent",
            count=len(done.failed),
            reason=done.failed[min(done.failed)],
            event_id=first.id,
            type=first.type,
            subject=first.subject,
            request_id=first.correlationid or None,
        )
    tried = {*done.sent, *done.failed}
    queue.release([one for place, one in enumerate(claimed) if place not in tried])
    return result


def _note_failure(claimed: queue.Claimed, error: str, max_attempts: int, result: Relayed) -> None:
    is_dead = claimed.attempts + 1 >= max_attempts
    queue.mark_failed(claimed, error=error, retry_in=retry_in(claimed.attempts), dead=is_dead)
    event = claimed.event
    metrics.events_published_total.labels(event.type, metrics.DEAD if is_dead else metrics.FAILED).inc()
    result.failed += 1
    result.dead += is_dead
    if is_dead:
        log.error(
            "event.dead",
            event_id=event.id,
            type=event.type,
            subject=event.subject,
            reason=error,
            request_id=event.correlationid or None,
        )
