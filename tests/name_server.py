"""A name server that gives a name its addresses of the moment, as the stack's does for a scaled service."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import sample

HEADER, QUESTION_ENDS, TYPE_A = 12, 5, b"\x00\x01\x00\x01"


class NameServer(socketserver.UDPServer):
    """Answer a query for an IPv4 address (RFC 1035, section 4): with those of the name, else with `addresses`."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.names: dict[str, tuple[str, ...]] = {}  # by their first label
        super().__init__(("127.0.0.1", 0), Query)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Query(socketserver.BaseRequestHandler):
    server: NameServer

    def handle(self) -> None:
        query, reply_through = self.request
        question = query[HEADER : query.index(b"\x00", HEADER) + QUESTION_ENDS]
        name = question[1 : 1 + question[0]].decode()  # its first label
        known = self.server.names.get(name, self.server.addresses)
        addresses = sample(known, len(known))
        head = query[:2] + b"\x81\x80\x00\x01" + len(addresses).to_bytes(2) + b"\x00\x00\x00\x00"
        # A pointer to the question's name, type and class, a second to live, and the address.
        answers = [b"\xc0\x0c" + TYPE_A + b"\x00\x00\x00\x01\x00\x04" + socket.inet_aton(each) for each in addresses]
        reply_through.sendto(head + question + b"".join(answers), self.client_address)


@contextmanager
def name_server(*addresses: str) -> Iterator[NameServer]:
    with NameServer(*addresses) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()
