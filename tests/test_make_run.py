"""The README's first command: `make run` from nothing to an order, and Ctrl-C back to nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.processes import ROOT, clean_environment, free_port


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the files in git, so that no developer's database is touched."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    # Use the virtual environment of this run. Link its parts, not the whole, and make the requirements old: if make
    # considers them newer, it clears `.venv` and installs again.
    (tmp_path / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        (tmp_path / ".venv" / part.name).symlink_to(part)
    os.utime(tmp_path / "requirements" / "dev.txt", (0, 0))
    return tmp_path


@contextmanager
def make_run(checkout: Path, products_port: int, orders_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `make run` on a terminal (script(1)); the process' standard input is its keyboard."""
    ports = {"PRODUCTS_PORT": str(products_port), "ORDERS_PORT": str(orders_port), "TERM": "xterm"}
    process = subprocess.Popen(
        ["script", "--quiet", "--return", "--command", "make run", os.devnull],
        cwd=checkout,
        env=clean_environment(ports) | {"SHELL": "/bin/sh"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.terminate()
        output, _errors = process.communicate()
        sys.stdout.write(output.decode())  # pytest shows it if the test fails


def wait_until_ready(*ports: int) -> None:
    deadline = time.monotonic() + 60
    waiting = set(ports)
    while waiting and time.monotonic() < deadline:
        for port in list(waiting):
            try:
                if requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                    waiting.remove(port)
            except requests.ConnectionError:
                time.sleep(0.1)
    assert not waiting, "not ready"


def read_until(process: subprocess.Popen[bytes], words: bytes) -> bytes:
    """Return the output up to the line with these words; pytest's time-out ends an endless wait."""
    assert process.stdout is not None
    output = b""
    for line in process.stdout:
        output += line
        if words in line:
            return output
    raise AssertionError(f"ended without {words!r}: {output.decode()}")


def test_make_run_starts_everything_twice_and_control_c_stops_it_cleanly(checkout: Path) -> None:
    products, orders = free_port(), free_port()

    for _ in range(2):  # the second time with the databases of the first one
        with make_run(checkout, products, orders) as process:
            wait_until_ready(products, orders)
            placed = requests.post(
                f"http://127.0.0.1:{orders}/orders", json={"productId": 2, "quantity": 1}, timeout=10
            )
            output = read_until(process, b"Ctrl-C stops both.")
            rest, _errors = process.communicate(input=b"\x03", timeout=30)
            output += rest

        assert placed.status_code == 201
        assert process.returncode == 0, output.decode()
        assert f"http://localhost:{orders}/orders".encode() in output
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", orders), timeout=2)


def test_a_taken_port_is_a_clear_message(checkout: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with make_run(checkout, port, free_port()) as process:
            output, _errors = process.communicate(timeout=60)

    assert process.returncode != 0
    assert f"Port {port} is taken" in output.decode()


def test_a_python_that_cannot_make_environments_is_a_clear_message(tmp_path: Path) -> None:
    python = tmp_path / "python-without-venv"
    python.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)

    asked = subprocess.run(
        [ROOT / "scripts" / "install", python, tmp_path / "venv"], capture_output=True, text=True, check=False
    )

    assert asked.returncode == 1
    assert "apt-get install python3-venv" in asked.stderr


def test_an_old_python_is_a_clear_message(tmp_path: Path) -> None:
    python = tmp_path / "python-old"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)

    asked = subprocess.run(
        [ROOT / "scripts" / "install", python, tmp_path / "venv"], capture_output=True, text=True, check=False
    )

    assert asked.returncode == 1
    assert "needs Python 3.11" in asked.stderr
