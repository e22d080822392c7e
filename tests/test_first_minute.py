"""The first minute with a real browser: `make run`, an order, and from a problem's `traceId` to its line of the log."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
import requests

from tests.checkout import copy_checkout, link_environment
from tests.processes import free_port
from tests.test_development_page import page_with
from tests.test_make_run import READY, read_until, running

CHROMIUM = os.environ.get("CHROMIUM_BIN") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not on PATH, and CHROMIUM_BIN is unset")


def shown(url: str, profile: Path) -> str:
    """Return the document that the browser makes of an address."""
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return re.sub(r"</?span[^>]*>", "", done.stdout)  # the browsable API colours JSON


def link(document: str, words: str) -> str:
    """Return where the first link with these words leads."""
    found = re.search(rf'<a href="([^"]*)"[^>]*>{words}</a>', document)
    assert found, f"no link {words!r} in {document}"
    return unescape(found[1])


def test_from_make_run_to_the_log_line_of_a_problem(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "argos")
    link_environment(checkout)
    port = free_port()
    with running(checkout, "make", "run", products=free_port(), orders=port) as process:
        said = read_until(process, READY).decode()
        orders, page = f"http://localhost:{port}", re.findall(r"Look: +(\S+)", said)[0]
        order = requests.post(f"{orders}/orders", json={"productId": 1, "quantity": 2}, timeout=30).json()
        page_with(page, "POST /orders", f"order_id={order['id']} ")

        placed = shown(orders + link(shown(page, tmp_path), "POST /orders"), tmp_path)
        problem = shown(f"{orders}/orders/{order['id']}", tmp_path)  # needs a credential
        request_id = re.findall(r'"requestId": "(\w+)"', problem)[0]
        trace = orders + link(problem, "[0-9a-f]{32}")
        page_with(trace, request_id)
        cause = shown(trace, tmp_path)

    assert "POST /orders → 201" in placed
    assert f"order_id={order['id']}" in placed
    assert f"GET /orders/{order['id']} → 401" in cause
    assert re.search(rf"request\.finished</b>.*?request_id={request_id} .*?code=not_authenticated", cause, re.DOTALL)
