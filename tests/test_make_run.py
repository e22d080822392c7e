"""The README's first command: `make run` from nothing to an order, and a signal back to nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import requests

from tests.checkout import copy_checkout, link_environment, processes_in
from tests.processes import clean_environment, free_port

READY = b"Ctrl-C stops all of them."


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    checkout = copy_checkout(tmp_path / "argos")
    link_environment(checkout)
    return checkout


@contextmanager
def running(
    checkout: Path,
    *command: str,
    products: int,
    orders: int,
    stdout: IO[bytes] | int = subprocess.PIPE,
    **options: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command; kill what it leaves behind, and show what it wrote where the test fails."""
    ports = {"PRODUCTS_PORT": str(products), "ORDERS_PORT": str(orders), "TERM": "xterm", "SHELL": "/bin/sh"}
    process = subprocess.Popen(
        command,
        cwd=checkout,
        env=clean_environment(ports),
        stdout=stdout,
        stderr=subprocess.STDOUT,
        **options,
    )
    try:
        yield process
    finally:
        process.kill()
        for pid in processes_in(checkout):
            os.kill(pid, signal.SIGKILL)
        output, _errors = process.communicate()
        sys.stdout.write((output or b"").decode())  # None of a test that has it in a file


def on_a_terminal(checkout: Path, products: int, orders: int) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run `make run` on a terminal of its own (script(1)), whose keyboard is the process's standard input."""
    command = ("script", "--quiet", "--return", "--command", "make run", os.devnull)
    return running(checkout, *command, products=products, orders=orders, stdin=subprocess.PIPE)


def read_until(process: subprocess.Popen[bytes], words: bytes) -> bytes:
    """Return what was printed up to the line with these words; pytest's time-out ends a wait for ever."""
    assert process.stdout is not None
    output = b""
    for line in process.stdout:
        output += line
        if words in line:
            return output
    raise AssertionError(f"ended without {words!r}: {output.decode()}")


def wait_until_nothing_runs(checkout: Path) -> None:
    """Return when no process of the copy is left; pytest's time-out ends a wait for ever."""
    while processes_in(checkout):
        time.sleep(0.05)


def wait_until_counted(url: str, units: int) -> None:
    """Return when products has counted as many sold pieces; pytest's time-out ends a wait for ever."""
    while requests.get(url, timeout=10).json()["unitsSold"] != units:
        time.sleep(0.05)


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_make_run_starts_everything_twice_and_control_c_stops_it_cleanly(checkout: Path) -> None:
    products, orders = free_port(), free_port()

    for number in (1, 2):  # the second time on the databases that the first one left
        with on_a_terminal(checkout, products, orders) as process:
            output = read_until(process, READY)
            placed = requests.post(
                f"http://127.0.0.1:{orders}/orders", json={"productId": 2, "quantity": 1}, timeout=10
            )
            wait_until_counted(f"http://127.0.0.1:{products}/products/2/stats", number)
            rest, _errors = process.communicate(input=b"\x03", timeout=60)

        assert placed.status_code == 201
        assert process.returncode == 0, (output + rest).decode()
        announced = output.decode().partition("\n  Running:")[2].splitlines()
        assert [line.split()[0] for line in announced[1:]] == ["Order:", "Look:", "Stop:"]
        assert f"http://localhost:{orders}/orders" in announced[1]
        assert f"http://localhost:{orders}/dev" in announced[2]
        assert is_refused(products)
        assert is_refused(orders)


def test_a_supervisors_sigterm_ends_make_and_both_services(checkout: Path) -> None:
    products, orders = free_port(), free_port()
    with running(checkout, "make", "run", products=products, orders=orders) as process:
        read_until(process, READY)
        process.terminate()
        process.wait()

        wait_until_nothing_runs(checkout)

    assert is_refused(products)
    assert is_refused(orders)


@pytest.mark.parametrize("second", ["a signal to all of them", "the end of make"])
def test_a_second_signal_ends_what_does_not_end_by_itself(checkout: Path, second: str) -> None:
    with running(checkout, "make", "run", products=free_port(), orders=free_port(), start_new_session=True) as process:
        read_until(process, READY)
        frozen = [pid for pid, command in processes_in(checkout).items() if "ops.server" in command]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        process.terminate()
        read_until(process, b"0 confirmed")  # recovery has ended: the first signal has arrived
        assert set(frozen) <= set(processes_in(checkout))

        if second == "the end of make":  # which keeps a second SIGTERM of its own until all has ended
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGTERM)

        read_until(process, b"Killed at once.")
        wait_until_nothing_runs(checkout)


def test_changed_code_is_loaded_without_a_restart(checkout: Path) -> None:
    products, orders = free_port(), free_port()
    with running(checkout, "make", "run", "RELOAD=1", products=products, orders=orders) as process:
        read_until(process, READY)
        path = checkout / "orders_project" / "orders" / "services.py"
        path.write_text(
            path.read_text().replace("def place_order", "print('the new code', flush=True)\n\n\ndef place_order", 1)
        )

        read_until(process, b"the new code")
        placed = requests.post(f"http://127.0.0.1:{orders}/orders", json={"productId": 1, "quantity": 1}, timeout=30)

    assert placed.status_code == 201


def test_a_service_that_ends_ends_the_rest_and_is_named(checkout: Path) -> None:
    with running(checkout, "make", "run", products=free_port(), orders=free_port()) as process:
        read_until(process, READY)
        (recovery,) = (pid for pid, command in processes_in(checkout).items() if "recover_orders" in command)
        os.kill(recovery, signal.SIGKILL)

        read_until(process, b"recovery has ended with -9, so everything stops.")
        wait_until_nothing_runs(checkout)
        process.wait()

    assert process.returncode == 2  # make's own, for a command that failed


def test_a_taken_port_is_a_clear_message(checkout: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with on_a_terminal(checkout, port, free_port()) as process:
            output, _errors = process.communicate(timeout=60)

    assert process.returncode != 0
    assert f"Port {port} is taken" in output.decode()
