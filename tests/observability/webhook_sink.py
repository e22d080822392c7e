"""A webhook for Alertmanager that records every alert."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Alert = dict[str, Any]


@dataclass
class WebhookSink:
    """The alerts in the order of arrival; `url` is an ALERT_WEBHOOK_URL."""

    url: str = ""
    alerts: list[Alert] = field(default_factory=list)
    receivers: set[str] = field(default_factory=set)

    def mark(self) -> int:
        """Return the position where `wait_for` starts."""
        return len(self.alerts)

    def wait_for(self, status: str, *, since: int = 0, within: float = 60.0, **labels: str) -> Alert:
        """Return the first alert with this status, `firing` or `resolved`, and these labels."""
        deadline = time.monotonic() + within
        while True:
            for alert in self.alerts[since:]:
                if alert["status"] == status and labels.items() <= alert["labels"].items():
                    return alert
            came = sorted({f"{a['labels']['alertname']} {a['labels']['service']} {a['status']}" for a in self.alerts})
            assert time.monotonic() < deadline, f"no {status} {labels} within {within} s; there came {came}"
            time.sleep(0.1)


@contextmanager
def webhook_sink() -> Iterator[WebhookSink]:
    sink = WebhookSink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sink.alerts.extend(message["alerts"])
            sink.receivers.add(message["receiver"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    sink.url = f"http://127.0.0.1:{server.server_port}/alerts?to=on|call&now"  # with characters that are special to sed
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
