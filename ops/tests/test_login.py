"""The admin's login: limited for each address, counted, logged, hashed by argon2 while other requests go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import User
from django.test import Client
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ops.api import password_hashers
from ops.settings import LOGIN_FAILURES
from ops.tests.problem_shape import assert_problem

PASSWORD = "a-password-for-tests-only"

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("staff", password=PASSWORD, is_staff=True)


def log_in(password: str, address: str = "10.0.0.1") -> Any:
    """Return the answer to one login of a new browser."""
    form = {"username": "staff", "password": password}
    return Client(REMOTE_ADDR=address).post("/admin/login/", form)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("login_attempts_total", {"outcome": outcome}) or 0


def test_after_too_many_failures_even_the_right_password_is_refused(staff: User) -> None:
    statuses = [log_in("wrong").status_code for _ in range(LOGIN_FAILURES)]

    refused = log_in(PASSWORD)

    assert statuses == [200] * (LOGIN_FAILURES - 1) + [429]
    assert_problem(refused, 429, "too_many_logins")
    assert refused["Retry-After"] == "300"
    assert log_in(PASSWORD, address="10.0.0.2").status_code == 302


def test_a_refused_login_computes_no_hash_and_does_not_prolong_the_pause(
    staff: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(LOGIN_FAILURES):
        log_in("wrong")
    hashed: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(password_hashers.Argon2, "verify", lambda *_: hashed.append("once"))
        assert log_in(PASSWORD).status_code == 429
    settings.AXES_COOLOFF_TIME = timedelta(0)

    assert hashed == []
    assert log_in(PASSWORD).status_code == 302


def test_a_success_begins_a_new_count(staff: User) -> None:
    for _ in range(2):
        statuses = {log_in("wrong").status_code for _ in range(LOGIN_FAILURES - 1)}
        assert statuses == {200}
        assert log_in(PASSWORD).status_code == 302


def test_each_attempt_is_counted_and_logged_without_its_name(staff: User) -> None:
    before = {outcome: counted(outcome) for outcome in ("succeeded", "failed", "refused")}

    with capture_logs() as entries:
        log_in(PASSWORD)
        for _ in range(LOGIN_FAILURES):
            log_in("wrong")
        Client().get("/admin/login/")

    logged = [entry for entry in entries if entry["event"].startswith("login.")]
    assert {outcome: counted(outcome) - before[outcome] for outcome in before} == {
        "succeeded": 1,
        "failed": LOGIN_FAILURES - 1,
        "refused": 1,
    }
    assert [entry["event"] for entry in logged[-2:]] == ["login.failed", "login.refused"]
    assert logged[0] == {"event": "login.succeeded", "log_level": "info", "client": "10.0.0.1"}
    assert "staff" not in str(logged)


def test_a_hash_of_an_earlier_release_is_replaced_at_the_next_login(staff: User) -> None:
    old = PBKDF2PasswordHasher().encode(PASSWORD, "abcdefghijklmnopqrstuv", 1000)
    User.objects.filter(pk=staff.pk).update(password=old)

    assert log_in(PASSWORD).status_code == 302

    staff.refresh_from_db()
    assert staff.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert log_in(PASSWORD).status_code == 302


def test_a_hash_gives_the_turn_to_other_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    class Recorder:
        def __enter__(self) -> None:
            given.append("given")

        def __exit__(self, *_: object) -> None:
            given.append("taken")

    monkeypatch.setattr(password_hashers, "waiting", Recorder())

    encoded = make_password(PASSWORD)
    password_hashers.Argon2().verify(PASSWORD, encoded)
    password_hashers.PBKDF2().verify(PASSWORD, PBKDF2PasswordHasher().encode(PASSWORD, "abcdefghijklmnop", 1))

    assert given == ["given", "taken"] * 3
