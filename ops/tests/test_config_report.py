"""The report on a configuration: its values, masked and on one line."""

from __future__ import annotations

import pytest

from ops.config.report import describe, masked
from ops.config.service import ROOT
from ops.tests.settings import PlainConfig


def shown(variable: str, value: str) -> str:
    reading = PlainConfig.read({variable: value})
    return next(line.value for line in describe(PlainConfig, reading) if line.name == variable)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://argos:canary@db:5432/shop", "postgres://argos:***@db:5432/shop"),
        ("postgres://argos:can/ary@db/shop", "postgres://argos:***@db/shop"),
        ("postgres://argos:can@ary@db/shop", "postgres://argos:***@db/shop"),
        ("postgres://:canary@db/shop", "postgres://:***@db/shop"),
        ("postgres://db/shop?sslpassword=canary", "postgres://db/shop?***"),
        ("postgres://argos:canary", "***"),
        ("postgres:/argos:canary@db", "***"),
        ("canary", "***"),
        ("sqlite:////data/shop.sqlite3", "sqlite:////data/shop.sqlite3"),
        (f"sqlite:///{ROOT}/var/shop.sqlite3", "sqlite:///var/shop.sqlite3"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, expected: str) -> None:
    assert shown("DATABASE_URL", url) == expected


@pytest.mark.parametrize(
    "variable", ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "SERVICE_TOKEN", "SERVICE_KEY", "SERVICE_KEYS"]
)
@pytest.mark.parametrize("value", ["canary", "canary canary"])  # the latter is a fault of a token
def test_a_secret_is_never_shown(variable: str, value: str) -> None:
    assert shown(variable, value) == "***"


def test_a_secret_that_is_unset_is_shown_as_such() -> None:
    assert shown("SERVICE_TOKEN", "") == ""


def test_credentials_in_a_faulty_url_are_not_shown() -> None:
    assert shown("JAEGER_ENDPOINT", "http://me:canary@jaeger:4318") == "http://me:***@jaeger:4318"


def test_a_value_cannot_draw_on_the_terminal() -> None:
    assert "\x1b" not in masked("\x1b[2Jcleared\nand a second line")
    assert len(masked("one\ntwo").splitlines()) == 1


def test_a_faulty_variable_is_shown_as_it_was_given_beside_its_fault() -> None:
    line = next(line for line in describe(PlainConfig, PlainConfig.read({"PORT": "abc"})) if line.name == "PORT")

    assert (line.value, line.origin, line.verdict) == ("abc", "environment", "must be a valid integer")


def test_lists_switches_and_absent_values_are_shown_as_they_would_be_written() -> None:
    assert shown("ALLOWED_HOSTS", "a.example,  b.example") == "a.example,b.example"
    assert shown("TRUST_FORWARDED_PROTO", "yes") == "true"
    assert shown("TRUSTED_PROXIES", "10.0.0.1, fd00::/8") == "10.0.0.1/32,fd00::/8"
    assert shown("JAEGER_ENDPOINT", "") == ""
