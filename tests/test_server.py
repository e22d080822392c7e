"""The server is what its configuration says: its addresses, workers, limits and sockets; and it believes no client."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.processes import ROOT, Service, clean_environment, database, free_port, prepared_database, running_stack
from tests.raw_http import exchange, request

SECTION = "products_project"


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_stack(tmp_path_factory.mktemp("server")) as stack:
        yield stack.products


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Service]:
    """Yield a service that is not started, with a database of its own."""
    with database(tmp_path, "products", like=prepared_database(SECTION)) as url:
        service = Service(SECTION, tmp_path, {"DATABASE_URL": url})
        yield service
        if service.process is not None:
            service.kill()


def wait_for_log(service: Service, words: str, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while words not in service.log_path.read_text():
        assert time.monotonic() < deadline, service.log_path.read_text()[-3000:]
        time.sleep(0.05)


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_a_stock_worker_of_gunicorn_serves_the_application_too(stopped: Service, worker: str) -> None:
    with stopped.log_path.open("ab") as log:
        stopped.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "products_project.wsgi",
                "-b",
                f"127.0.0.1:{stopped.port}",
                "-k",
                worker,
            ],
            cwd=ROOT,
            env=clean_environment(stopped.env | {"PORT": str(stopped.port)}),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    stopped.wait_until_ready(60)

    assert requests.get(f"{stopped.url}/products/1", timeout=30).json() == {"id": 1, "name": "Quantum Laptop"}


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_it_listens_on_ipv6_and_ipv4_and_names_clients_of_both(products: Service) -> None:
    for host in ("[::1]", "127.0.0.1"):
        assert requests.get(f"http://{host}:{products.port}/products/1", timeout=30).status_code == 200

    assert [line["client"] for line in products.log_lines() if "client" in line][-2:] == ["::1", "127.0.0.1"]


def test_headers_of_proxies_are_not_believed(products: Service) -> None:
    forged = (
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Ssl: on",
        b"X-Forwarded-Protocol: ssl",
        b"SCRIPT_NAME: /public",
    )

    page = exchange(products.port, request(b"GET", b"/products?page_size=1", *forged)).json()
    prefixed = exchange(products.port, request(b"GET", b"/public/metrics", *forged))

    assert page["next"].startswith("http://localhost/products?")
    assert prefixed.status == 404


def test_an_answer_that_comes_before_the_body_says_that_the_connection_ends(products: Service) -> None:
    answer = exchange(products.port, request(b"POST", b"/nowhere", b"Content-Length: 99999999"))

    assert (answer.status, answer.headers["Connection"]) == (413, "close")


def test_a_system_without_epoll_is_refused_with_a_sentence() -> None:
    started = "import runpy, select; del select.epoll; runpy.run_module('ops.server', run_name='__main__')"

    refused = subprocess.run(
        [sys.executable, "-c", started],
        cwd=ROOT,
        env=clean_environment({"DJANGO_SETTINGS_MODULE": "products_project.settings"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert refused.returncode == 1
    assert refused.stderr == "The server needs Linux, as its poller is epoll. Elsewhere, use docker compose.\n"


def test_an_upgrade_by_signal_is_refused_with_a_sentence(stopped: Service) -> None:
    stopped.start()
    assert stopped.process is not None

    stopped.process.send_signal(signal.SIGUSR2)

    wait_for_log(stopped, "SIGUSR2 is not supported")
    assert requests.get(f"{stopped.url}/healthz", timeout=30).status_code == 200
    assert stopped.stop() == 0


def test_one_worker_stays_one_and_its_counters_do_not_flip(stopped: Service) -> None:
    stopped.env["WEB_CONCURRENCY"] = ""  # as unset, though gunicorn itself refuses it
    stopped.start()
    assert stopped.process is not None

    stopped.process.send_signal(signal.SIGTTIN)

    wait_for_log(stopped, "SIGTTIN is refused")
    assert [stopped.metric("web_workers") for _ in range(6)] == [1] * 6


def test_workers_on_gunicorns_own_command_line_count_together(stopped: Service) -> None:
    stopped.env["GUNICORN_CMD_ARGS"] = "--workers 2"
    stopped.start()
    assert stopped.process is not None
    deadline = time.monotonic() + 60
    while stopped.metric("web_workers") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert [stopped.metric("web_workers") for _ in range(6)] == [2] * 6


def test_too_few_files_are_named_with_how_many_it_takes(stopped: Service) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.server"],
        cwd=ROOT,
        env=clean_environment(stopped.env | {"DJANGO_SETTINGS_MODULE": "products_project.settings", "PORT": "1025"}),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == "A process may open 120 files here (ulimit -n); the service needs 164 or more.\n"


AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-m", "ops.server"])
"""


def start_with_socket(service: Service, listener: socket.socket) -> None:
    """Start the service as systemd would, with a listening socket as its descriptor 3."""
    variables = {"DJANGO_SETTINGS_MODULE": "products_project.settings", "PORT": str(service.port)}
    with service.log_path.open("ab") as log:
        service.process = subprocess.Popen(
            [sys.executable, "-c", AS_SYSTEMD, str(listener.fileno())],
            cwd=ROOT,
            env=clean_environment(service.env | variables),
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def test_a_socket_that_was_handed_over_outlives_the_service(stopped: Service) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        stopped.port = listener.getsockname()[1]
        start_with_socket(stopped, listener)
        stopped.wait_until_ready(60)
        assert stopped.stop() == 0

        with socket.create_connection(("127.0.0.1", stopped.port), timeout=60) as client:
            client.sendall(request(b"GET", b"/healthz"))
            start_with_socket(stopped, listener)

            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")

        assert stopped.stop() == 0
        assert os.fstat(listener.fileno())
