"""The steps of an event that tests interrupt; `tests/faults/test_fault_points.py` runs every action at every step."""

from __future__ import annotations

from enum import StrEnum


class EventStep(StrEnum):
    """The steps where an event can be interrupted, in their order."""

    CLAIM = "outbox.claim"  # the commit that claims it for one relay
    SEND = "outbox.send"  # the broker's confirm, or the HTTP call
    MARK_SENT = "outbox.mark_sent"  # the commit that marks it as sent
    HANDLE = "inbox.handle"  # the transaction of its effect
    ACKNOWLEDGE = "inbox.acknowledge"  # the acknowledgement, after which the broker deletes it
