"""A connection keeps its promises whatever a client does, and in whichever order: split, stall, reset, pipeline."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ops.server.connection import BODY_TIMEOUT, HEAD_TIMEOUT, LEAST_RATE, LINGER, RECEIVE, State
from ops.server.http1 import LONGEST_HEAD
from ops.tests.scripted_worker import LIMIT, ScriptedWorker

WAITING = {State.IDLE, State.HEAD, State.BODY, State.LINGERING}
bodies = st.binary(max_size=200)


class Clients(RuleBasedStateMachine):
    """A client with a plan of well-formed requests, which it sends in pieces; and a worker whose clock is ours."""

    def __init__(self) -> None:
        super().__init__()
        self.worker = ScriptedWorker(send_buffer=4_608)
        self.plan: list[tuple[str, str, bytes]] = []
        self.unsent = b""
        self.is_whole = True  # no request is to be cut short: all that was planned can be sent
        self.is_closed = False
        self.has_expired = False

    @rule(body=bodies, coding=st.sampled_from(["length", "chunks", "none"]), expects=st.booleans())
    def plan_a_request(self, body: bytes, coding: str, expects: bool) -> None:
        target = f"/{len(self.plan)}"
        head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\n" + ("Expect: 100-continue\r\n" if expects else "")
        if coding == "length":
            raw = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        elif coding == "chunks":
            pieces = [body[:7], body[7:]]
            chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
            raw = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunked + b"0\r\n\r\n"
        else:
            raw, body = f"{head}\r\n".encode(), b""
        self.plan.append(("POST", target, body))
        self.unsent += raw

    @precondition(lambda self: self.unsent and not self.is_closed)
    @rule(count=st.integers(1, 300))
    def send_some(self, count: int) -> None:
        try:
            sent = self.worker.client.send(self.unsent[:count])
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return
        self.unsent = self.unsent[sent:]

    @rule(padding=st.sampled_from([0, 0, 10, 100_000]), streams=st.booleans())
    def work(self, padding: int, streams: bool) -> None:
        self.worker.work(padding=padding, stream=iter_blocks() if streams else None)

    @rule()
    def poll(self) -> None:
        self.worker.poll()

    @rule(count=st.integers(1, 50_000))
    def read_some(self, count: int) -> None:
        try:
            self.worker.client.recv(count)
        except OSError:
            return

    @rule(seconds=st.sampled_from([0.5, 3.0, HEAD_TIMEOUT, 70.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.worker.now += seconds
        before = self.worker.connection.state
        self.worker.sweep()
        self.has_expired |= before is not self.worker.connection.state

    @precondition(lambda self: not self.is_closed)
    @rule(how=st.sampled_from(["half", "whole", "reset"]))
    def hang_up(self, how: str) -> None:
        if how == "half":
            self.worker.client.shutdown(socket.SHUT_WR)
        else:
            self.worker.client.close()
        self.is_closed = True

    @invariant()
    def requests_are_whole_and_in_order(self) -> None:
        assert self.worker.requests == self.plan[: len(self.worker.requests)]

    @invariant()
    def nothing_well_formed_is_refused_but_for_its_time_or_end(self) -> None:
        assert {refusal.status for refusal in self.worker.refusals} <= {400, 408}
        assert len(self.worker.refusals) <= 1
        if self.worker.refusals and not self.is_closed:
            assert self.has_expired

    @invariant()
    def it_is_armed_exactly_where_it_waits_for_the_client(self) -> None:
        state = self.worker.connection.state
        assert bool(self.worker.armed) == (state in WAITING or state is State.WRITING)
        assert self.worker.queued == (state is State.QUEUED)
        assert self.worker.forgotten == (state is State.CLOSED)

    @invariant()
    def it_holds_a_bounded_number_of_bytes(self) -> None:
        assert len(self.worker.connection.buffer) <= LONGEST_HEAD + RECEIVE + LIMIT

    @invariant()
    def every_wait_has_an_end(self) -> None:
        connection = self.worker.connection
        longest = {
            State.IDLE: self.worker.keepalive,
            State.HEAD: HEAD_TIMEOUT,
            State.LINGERING: LINGER,
            State.BODY: BODY_TIMEOUT + 2 * LIMIT / LEAST_RATE,
            State.WRITING: BODY_TIMEOUT + 400_000 / LEAST_RATE,
        }
        if connection.state in longest:
            assert connection.deadline - self.worker.now <= longest[connection.state]

    def teardown(self) -> None:
        for _ in range(30):
            self.worker.settle()
            self.worker.now += 100
            self.worker.sweep()
        assert self.worker.connection.state is State.CLOSED
        assert self.worker.forgotten == 1
        self.worker.close()


def iter_blocks() -> Iterator[bytes]:
    yield from (b"y" * 10, b"y" * 50_000, b"z")


TestConnection = Clients.TestCase
TestConnection.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
