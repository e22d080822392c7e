"""A client-side deadline for each statement, as PostgreSQL's own cannot end the wait for a lost server.

The server enforces `statement_timeout`, but not while it is frozen or unreachable. TCP does not detect that either, as
a proxy or the kernel in front of it still acknowledges data.
"""

from __future__ import annotations

import select
import time
from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready, Wait

from ops.database.errors import READ_ONLY
from ops.turns import wait_until_ready

GRACE = 1.0  # seconds later than the server's statement_timeout, whose error says more

EVENTS = {Wait.R: select.POLLIN, Wait.W: select.POLLOUT, Wait.RW: select.POLLIN | select.POLLOUT}

T = TypeVar("T")


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that stops waiting for an answer; it is then closed, as the answer might still arrive."""

    deadline: ClassVar[float]

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Drive a statement to its end, but at most until the deadline; raise OperationalError."""
        ends = time.monotonic() + (timeout or self.deadline)
        try:
            state = next(gen)  # ends at once where no query was sent, as when autocommit is switched
            while wait_until_ready(self.pgconn.socket, EVENTS[state], ends - time.monotonic()):
                state = gen.send(Ready(state))
        except StopIteration as done:
            value: T = done.value
            return value
        except psycopg.Error as error:
            # Sent and not answered; or the server is a standby now, and a new connection finds the promoted one.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE or error.sqlstate == READ_ONLY:
                self.close()
            raise
        self.close()
        raise psycopg.OperationalError("the server did not answer in time")


def connection_class(statement_timeout: float) -> type[DeadlineConnection]:
    """Return the connection class for a server with this statement_timeout in seconds."""
    return type("DeadlineConnection", (DeadlineConnection,), {"deadline": statement_timeout + GRACE})
