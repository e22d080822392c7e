"""A running service limits the admin's logins for each address and goes on serving."""

from __future__ import annotations

from pathlib import Path

import requests

from ops.settings import LOGIN_FAILURES
from tests.processes import running_stack
from tests.staff import log_in, staff_session


def test_too_many_wrong_passwords_close_the_login_to_their_address_alone(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        orders = stack.orders
        staff = staff_session(orders)
        wrong = [log_in(requests.Session(), orders, password="wrong").status_code for _ in range(LOGIN_FAILURES)]
        refused = log_in(requests.Session(), orders)
        from_elsewhere = log_in(requests.Session(), orders, url=f"http://[::1]:{orders.port}")

        assert wrong == [200] * (LOGIN_FAILURES - 1) + [429]
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_logins")
        assert from_elsewhere.status_code == 302
        assert staff.get(f"{orders.url}/orders", timeout=30).status_code == 200  # its session goes on
        assert stack.place_order().status_code == 201
        assert orders.metric("login_attempts_total", outcome="failed") == LOGIN_FAILURES - 1
    events = [line["event"] for line in orders.log_lines()]
    assert events.count("login.failed") == LOGIN_FAILURES - 1
    assert events.count("login.refused") == 2
