"""A real HTTP server that receives events and gives scripted answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.conf import LazySettings
from pydantic import SecretStr


@dataclass
class EventPeer:
    """The received events; `answer` gets each one and returns a status."""

    url: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], int] = lambda event: 204

    @property
    def subjects(self) -> list[str]:
        """Return the subjects of the accepted events in order of arrival."""
        return [event["subject"] for event in self.taken]


@contextmanager
def event_peer() -> Iterator[EventPeer]:
    peer = EventPeer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = peer.answer(event)
            if status < 300:
                peer.taken.append(event)
                peer.headers.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    peer.url = f"http://127.0.0.1:{server.server_port}/events"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send_to(settings: LazySettings, url: str, **more: Any) -> None:
    """Set EVENTS_URL and other variables."""
    settings.CONFIG = settings.CONFIG.model_copy(update={"events_url": SecretStr(url), **more})
