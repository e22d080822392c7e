"""The steps of an event that tests break one by one; `tests/faults/test_fault_points.py` has each meet each action."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """Where an event can be interrupted, in the order in which one passes them."""

    CLAIM = "outbox.claim"  # the commit by which a relay has it to itself
    SEND = "outbox.send"  # the broker's confirm, or the HTTP call
    MARK_SENT = "outbox.mark_sent"  # the commit that notes it
    TAKE = "inbox.take"  # the transaction of its effect
    ACKNOWLEDGE = "inbox.acknowledge"  # what lets the broker forget it
