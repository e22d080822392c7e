"""Connect to a peer within the limits of an exchange.

A name with ten addresses may take ten connect timeouts, and the resolver as long as it likes.
"""

from __future__ import annotations

import functools
import socket
import ssl
import time
from concurrent.futures import Future
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ops.background import in_background
from ops.outbound.limits import Limits
from ops.turns import waiting


class Resolver:
    """Look up the addresses of one name. One thread uses it at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        self._look_up: Future[list[tuple[Any, ...]]] = Future()
        self._useful_until = 0.0

    def addresses(self, limits: Limits) -> list[tuple[Any, ...]]:
        """Return them; raise OSError.

        A thread asks, and is left behind when late, as getaddrinfo has no timeout. The next call takes its answer: with
        a dead name server, each look-up may take as long as a try.
        """
        if time.monotonic() > self._useful_until or (self._look_up.done() and self._look_up.exception()):
            self._look_up = in_background(f"resolve-{self._ask.args[0]}", self._ask)
        try:
            with waiting:
                return self._look_up.result(limits.seconds_left())
        except TimeoutError:
            self._useful_until = time.monotonic() + 5  # seconds
            raise


def connect(resolver: Resolver, limits: Limits) -> socket.socket:
    """Return a connected socket; try each address of the name in turn; raise OSError."""
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in resolver.addresses(limits):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:  # no IPv6 on this machine
            failure = error
            continue
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(limits.connect_seconds())
            with waiting:
                sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def encrypt(sock: socket.socket, context: ssl.SSLContext, host: str, limits: Limits) -> socket.socket:
    """Return the socket with TLS on it; close it and raise OSError if the handshake fails."""
    try:
        sock.settimeout(limits.seconds_left())
        with waiting:
            return context.wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise


@functools.cache
def tls_context(authorities: str | None, certificate: str | None) -> ssl.SSLContext:
    """Return what checks a peer against these authorities, by default the public ones, and shows it a certificate."""
    context = ssl.create_default_context(cafile=authorities or DEFAULT_CA_BUNDLE_PATH)
    if certificate:
        context.load_cert_chain(certificate)
    return context
