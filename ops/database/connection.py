"""A deadline on the client's side for each statement: PostgreSQL's own cannot end the wait for a server that is gone.

`statement_timeout` is kept by the server. One that is frozen, or behind a link that lost it, keeps nothing, and a
proxy or the kernel before it still acknowledges what is sent, so TCP sees no fault either.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import Wait

from ops.database.errors import READ_ONLY
from ops.turns import waiting

GRACE = 1.0  # seconds that the server's own statement_timeout comes first, as it says more

T = TypeVar("T")


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that gives up on an answer; it is closed then, as the answer might still come."""

    deadline: ClassVar[float]

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait as psycopg does, never longer than the deadline; raise OperationalError."""
        try:
            state = next(gen)
        except StopIteration as done:  # nothing is asked of the server, as where autocommit is switched
            value: T = done.value
            return value
        try:
            with waiting:
                return super().wait(_resumed(gen, state), interval, timeout or self.deadline)
        except psycopg.Error as error:
            # Sent and not answered; or the server is a standby now, and a new connection finds the promoted one.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE or error.sqlstate == READ_ONLY:
                self.close()
            raise


def _resumed(gen: PQGen[T], state: Wait) -> PQGen[T]:
    """Go on with a generator that has begun."""
    while True:
        ready = yield state
        try:
            state = gen.send(ready)
        except StopIteration as done:
            value: T = done.value
            return value


def connection_class(statement_timeout: float) -> type[DeadlineConnection]:
    """Return the class of the connections whose server has this statement_timeout, in seconds."""
    return type("DeadlineConnection", (DeadlineConnection,), {"deadline": statement_timeout + GRACE})
