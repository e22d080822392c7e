"""ensure_superuser creates one superuser with the given password, reports the change, and hides the password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from structlog.testing import capture_logs

from ops.management.commands.ensure_superuser import Command
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "canary-of-a-long-passphrase"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(f"{PASSWORD}\n")
    return str(path)


def ada(secret: str, *options: str) -> tuple[object, str, str]:
    return run(Command(), "--username", "ada", "--password-file", secret, *options)


def test_it_creates_a_superuser_who_can_log_in(secret: str) -> None:
    assert ada(secret, "--email", "ada@SHOP.example") == (0, "Superuser ada created.\n", "")

    user = User.objects.get()
    assert (user.username, user.email) == ("ada", "ada@shop.example")
    assert user.is_superuser
    assert user.is_staff
    assert user.check_password(PASSWORD)


def test_a_second_run_changes_nothing_not_even_the_hash(secret: str) -> None:
    ada(secret, "--email", "ada@shop.example")
    before = User.objects.values().get()

    assert ada(secret, "--email", "ada@shop.example") == (0, "Superuser ada unchanged.\n", "")
    assert ada(secret) == (0, "Superuser ada unchanged.\n", "")
    assert User.objects.values().get() == before


def test_a_hash_of_an_older_strength_stays_too(secret: str) -> None:
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    weak = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    User.objects.create(username="ada", password=weak, is_staff=True, is_superuser=True)

    assert ada(secret)[1] == "Superuser ada unchanged.\n"
    assert User.objects.get().password == weak


def test_it_changes_what_differs_and_names_it(secret: str) -> None:
    User.objects.create_user("ada", "old@shop.example", "another-password", is_active=False, first_name="Ada")

    code, output, _ = ada(secret, "--email", "new@shop.example", "--json")

    document = json.loads(output)
    assert code == 0
    assert document["counts"] == {"created": 0, "updated": 1, "unchanged": 0}
    assert document["changed"] == ["is_active", "is_staff", "is_superuser", "email", "password"]
    user = User.objects.get()
    assert user.check_password(PASSWORD)
    assert (user.is_active, user.first_name) == (True, "Ada")


def test_a_dry_run_says_the_same_and_changes_nothing(secret: str) -> None:
    first = ada(secret, "--dry-run")
    assert first == (0, "Superuser ada would be created. Nothing was changed.\n", "")
    assert not User.objects.exists()

    User.objects.create_superuser("ada", None, "another-password")
    before = User.objects.values().get()
    assert ada(secret, "--dry-run")[1] == "Superuser ada would be updated: password. Nothing was changed.\n"
    assert User.objects.values().get() == before


def test_the_environment_stands_in_for_each_option(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERUSER_NAME", "grace")
    monkeypatch.setenv("SUPERUSER_EMAIL", "grace@shop.example")
    monkeypatch.setenv("SUPERUSER_PASSWORD", PASSWORD)
    assert run(Command()) == (0, "Superuser grace created.\n", "")

    monkeypatch.delenv("SUPERUSER_PASSWORD")
    monkeypatch.setenv("SUPERUSER_PASSWORD_FILE", secret)
    assert run(Command()) == (0, "Superuser grace unchanged.\n", "")
    assert ada(secret)[1] == "Superuser ada created.\n"


@pytest.mark.parametrize(
    ("variables", "options", "says"),
    [
        ({}, (), "No user name: give --username or SUPERUSER_NAME."),
        ({}, ("--username", "ada"), "A password is missing: give --password-file or SUPERUSER_PASSWORD_FILE."),
        (
            {"SUPERUSER_PASSWORD": PASSWORD, "SUPERUSER_PASSWORD_FILE": "/x"},
            ("--username", "ada"),
            "SUPERUSER_PASSWORD is set twice: by SUPERUSER_PASSWORD and by SUPERUSER_PASSWORD_FILE.",
        ),
        (
            {},
            ("--username", "ada", "--password-file", "/proc/nowhere"),
            "--password-file /proc/nowhere cannot be read: No such file or directory.",
        ),
        (
            {},
            ("--username", "ada", "--password-file", "/dev/zero"),
            "--password-file /dev/zero is too long to be a password.",
        ),
        (
            {"SUPERUSER_PASSWORD": "12345678"},
            ("--username", "ada"),
            "'ada' is refused: This password is too common.",
        ),
        (
            {"SUPERUSER_PASSWORD": "ada-lovelace"},
            ("--username", "ada-lovelace"),
            "'ada-lovelace' is refused: The password is too similar to the username.",
        ),
        (
            {"SUPERUSER_PASSWORD": PASSWORD},
            ("--username", "ada", "--email", "nobody"),
            "'ada' is refused: email: Enter a valid email address.",
        ),
    ],
)
def test_what_is_missing_or_unfit_is_one_line_and_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: tuple[str, ...], says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert run(Command(), *options) == (2, "", f"{says}\n")
    assert not User.objects.exists()


def test_a_password_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00")

    assert ada(str(tmp_path / "secret"))[0] == 2


def test_it_never_says_the_password(secret: str) -> None:
    with capture_logs() as logs:
        said = [ada(secret), ada(secret, "--json"), ada(secret, "--dry-run"), ada(secret, "--email", PASSWORD[:3])]

    assert PASSWORD not in str(said)
    assert PASSWORD not in str(logs)
