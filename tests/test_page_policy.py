"""A browser shows every page under its Content-Security-Policy, and runs no script that the page itself holds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from tests.processes import Service, Stack, running_stack
from tests.staff import staff_session
from tests.test_development_page import page_with

INJECTED = b"<script>document.title = 'k4n4ry'</script><style>body { color: red }</style></body>"
Login = tuple[Service, requests.Session]
CONSOLE = re.compile(r"CONSOLE.*|.*(?:Refused to|violates the following).*")
CHROMIUM = os.environ.get("CHROMIUM_BIN") or shutil.which("chromium") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not on PATH, and CHROMIUM_BIN is unset")


class Forwarder(BaseHTTPRequestHandler):
    """Pass a browser's GET on with the cookies of a session, as the command line gives the browser none."""

    session = requests.Session()
    service = ""
    injected = b""

    def do_GET(self) -> None:
        accept = {"Accept": self.headers["Accept"]}
        answer = self.session.get(f"{self.service}{self.path}", headers=accept, allow_redirects=False, timeout=30)
        body = answer.content.replace(b"</body>", self.injected) if self.injected else answer.content
        self.send_response(answer.status_code)
        for name in ("Content-Type", "Content-Security-Policy", "X-Content-Type-Options", "Location"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def forwarder(service: Service, session: requests.Session, injected: bytes = b"") -> Iterator[str]:
    known = {"session": session, "service": service.url, "injected": injected}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Known", (Forwarder,), known))
    Thread(target=partial(server.serve_forever, poll_interval=0.05), daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def browse(url: str, profile: Path) -> tuple[str, list[str]]:
    """Return the page as its scripts have left it, and the browser's complaints."""
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",  # tests may run as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--v=0",
            f"--user-data-dir={profile}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, CONSOLE.findall(done.stderr)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("pages")
    with running_stack(directory, DEVELOPMENT_RECORDING=str(directory / "recording.sqlite3")) as running:
        running.place_order()
        yield running


@pytest.fixture(scope="module")
def logged_in(stack: Stack) -> dict[str, Login]:
    services = {"products": stack.products, "orders": stack.orders}
    return {name: (service, staff_session(service)) for name, service in services.items()}


@pytest.mark.parametrize(
    ("name", "path", "shown"),
    [
        ("products", "/docs", "/products/{product_id}"),  # by its script
        ("products", "/products", 'class="pun"'),  # likewise
        ("products", "/admin/products/product/1/change/", "Quantum Laptop"),
        ("orders", "/orders", 'name="_content"'),
        ("orders", "/admin/", "theme-toggle"),
        ("orders", "/admin/orders/order/", "changelist-form"),
    ],
)
def test_a_page_of_staff_violates_nothing(
    logged_in: dict[str, Login], name: str, path: str, shown: str, tmp_path: Path
) -> None:
    with forwarder(*logged_in[name]) as url:
        page, complaints = browse(url + path, tmp_path)

    assert shown in page
    assert complaints == []


@pytest.mark.parametrize("path", ["/admin/login/", "/", "/orders"])
def test_a_page_of_an_anonymous_client_violates_nothing(stack: Stack, path: str, tmp_path: Path) -> None:
    page, complaints = browse(stack.orders.url + path, tmp_path)

    assert "<body" in page
    assert [line for line in complaints if "403" not in line] == []  # /orders is for staff


@pytest.mark.parametrize("name", ["products", "orders"])
@pytest.mark.parametrize("path", ["/dev", "/dev/traces/{}"])
def test_a_development_page_violates_nothing_and_loads_its_style(
    stack: Stack, name: str, path: str, tmp_path: Path
) -> None:
    trace_id = stack.place_order(quantity=-1).json()["traceId"]
    url: str = getattr(stack, name).url
    page_with(f"{url}/dev/traces/{trace_id}", "POST /orders")

    page, complaints = browse(url + path.format(trace_id), tmp_path)

    style = re.search('<link rel="stylesheet" href="([^"]+)">', page)
    assert style
    assert requests.get(url + style[1], timeout=30).headers["Content-Type"].startswith("text/css")
    assert complaints == []


def test_an_injected_script_does_not_run(stack: Stack, tmp_path: Path) -> None:
    with forwarder(stack.products, requests.Session(), INJECTED) as url:
        page, complaints = browse(f"{url}/products", tmp_path)

    assert "<title>k4n4ry" not in page
    assert len([line for line in complaints if "Content Security Policy" in line]) == 2


def test_only_pages_have_the_policies(stack: Stack) -> None:
    page = requests.get(f"{stack.products.url}/products", headers={"Accept": "text/html"}, timeout=30)
    data = requests.get(f"{stack.products.url}/products", timeout=30)

    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "camera=()" in page.headers["Permissions-Policy"]
    assert "Content-Security-Policy" not in data.headers
