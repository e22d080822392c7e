"""Requests in an open loop over many connections: `python -m bench.connections`, with --orders for orders.

Requests are sent at fixed times, whether or not earlier ones were answered. A late answer counts from the due time. So
a --rate above the capacity shows what an overload does: `--orders --rate 1000 --connections 3000 --seconds 20`.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from urllib.parse import urlsplit

from bench.run import ORDER, prepared_databases, sink, subject

READ_REQUEST = b"GET /products/1 HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
ORDER_REQUEST = (
    "POST /orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(ORDER)}\r\n\r\n{ORDER}"
).encode()
PATIENCE = 10.0  # seconds for an answer


class Client:
    """One connection, kept alive; one request at a time."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, due: float, seconds: dict[str, list[float]]) -> None:
        """Send a request; keep the seconds since its due time under the status of the answer, or the error's name."""
        try:
            async with self._turn, asyncio.timeout(PATIENCE):
                self._writer.write(self._request)
                head = await self._reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await self._reader.readexactly(length)
            outcome = head[9:12].decode()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            outcome = type(error).__name__
        seconds.setdefault(outcome, []).append(time.monotonic() - due)


async def run(port: int, request: bytes, *, connections: int, rate: float, seconds: float) -> dict[str, list[float]]:
    """Return the times of all requests by the status of their answers, or by the name of their error."""
    clients = [Client(port, request) for _ in range(connections)]
    for client in clients:
        await client.open()
    times: dict[str, list[float]] = {}
    begun = time.monotonic() + 0.5
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(due - time.monotonic())
            tasks.create_task(clients[number % connections].ask(due, times))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second in all (default: %(default)g)")
    parser.add_argument("--seconds", type=float, default=60.0, help="(default: %(default)g)")
    parser.add_argument("--orders", action="store_true", help="place orders in place of reading a product")
    options = vars(parser.parse_args())
    service, request = ("orders", ORDER_REQUEST) if options.pop("orders") else ("products", READ_REQUEST)
    with sink() as endpoint, prepared_databases() as databases, subject("argos", databases, endpoint) as servers:
        times = asyncio.run(run(urlsplit(servers[service].url).port or 0, request, **options))
    for outcome, found in sorted(times.items()):
        found.sort()
        p50, p95, p99 = (found[int(len(found) * share)] * 1000 for share in (0.5, 0.95, 0.99))
        print(f"{outcome}: {len(found)} requests, p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    main()
