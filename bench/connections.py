"""Many open connections and few requests, in an open loop: `python -m bench.connections`.

Requests are sent at fixed times, whether or not earlier ones were answered. A late answer counts from the due time.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from urllib.parse import urlsplit

from bench.run import prepared_databases, sink, subject

REQUEST = b"GET /products/1 HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
PATIENCE = 10.0  # seconds for an answer


class Client:
    """One connection, kept alive; one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, due: float, seconds: list[float], errors: list[str]) -> None:
        """Send a request; append the seconds since its due time, or the error."""
        try:
            async with self._turn, asyncio.timeout(PATIENCE):
                self._writer.write(REQUEST)
                head = await self._reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await self._reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                errors.append(head[:12].decode())
            seconds.append(time.monotonic() - due)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            errors.append(type(error).__name__)


async def run(port: int, *, connections: int, rate: float, seconds: float) -> tuple[list[float], list[str]]:
    """Return the times of all answers, and the errors."""
    clients = [Client(port) for _ in range(connections)]
    for client in clients:
        await client.open()
    times: list[float] = []
    errors: list[str] = []
    begun = time.monotonic() + 0.5
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(due - time.monotonic())
            tasks.create_task(clients[number % connections].ask(due, times, errors))
    return times, errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second in all (default: %(default)g)")
    parser.add_argument("--seconds", type=float, default=60.0, help="(default: %(default)g)")
    options = parser.parse_args()
    with sink() as endpoint, prepared_databases() as databases, subject("argos", databases, endpoint) as servers:
        port = urlsplit(servers["products"].url).port or 0
        times, errors = asyncio.run(run(port, **vars(options)))
    times.sort()
    p50, p95, p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.95, 0.99))
    print(
        f"{options.connections} connections, {len(times)} answers: "
        f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {len(errors)} errors {sorted(set(errors))}"
    )


if __name__ == "__main__":
    main()
