"""JWT_ISSUER and JWT_KEYS are judged at the start, and `identity.keys` of doctor reads the keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from ops.diagnosis.probe import NoAnswer
from ops.identity.reachable import probes
from ops.tests.issuer import NAME, Issuer
from ops.tests.peers import answering, refused
from ops.tests.settings import PlainConfig

URL = "https://id.shop.example/jwks"


def fault(**environ: str) -> str | None:
    """Return the fault of JWT_KEYS."""
    return PlainConfig.read(environ).faults.get("JWT_KEYS")


def ask(keys: str | None) -> list[str]:
    """Return what the probe finds with these keys."""
    config = settings.CONFIG.model_copy(update={"jwt_issuer": keys and NAME, "jwt_keys": keys})
    (probe,) = probes(config)
    return [found.msg for found in probe.ask(config)]


def test_an_issuer_and_its_keys_are_set_together(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text("{}")

    assert fault() is None
    assert fault(JWT_ISSUER=NAME, JWT_KEYS=URL) is None
    assert fault(JWT_ISSUER=NAME, JWT_KEYS=str(file)) is None
    assert fault(JWT_ISSUER=NAME) == fault(JWT_KEYS=URL) == "must be set together with JWT_ISSUER, or not at all"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("/nowhere/keys.json", "names no readable file"),
        ("ftp://id.shop.example/jwks", "is not an absolute http"),
        ("https://me:secret@id.shop.example/jwks", "carries credentials"),
    ],
)
def test_keys_that_cannot_be_read_are_refused_at_the_start(keys: str, expected: str) -> None:
    found = fault(JWT_ISSUER=NAME, JWT_KEYS=keys)

    assert found is not None
    assert expected in found
    assert "secret" not in found


def test_a_file_of_keys_is_as_long_as_is_read(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"

    file.write_text("{}".ljust(65_536))
    assert fault(JWT_ISSUER=NAME, JWT_KEYS=str(file)) is None
    file.write_text("{}".ljust(65_537))
    assert fault(JWT_ISSUER=NAME, JWT_KEYS=str(file)) == "names a file of more than 65536 bytes"


def test_production_reads_keys_by_tls_or_from_a_file() -> None:
    url = URL.replace("https", "http")

    assert fault(JWT_ISSUER=NAME, JWT_KEYS=url) is None
    found = fault(JWT_ISSUER=NAME, JWT_KEYS=url, DJANGO_ENV="production")
    assert found is not None
    assert "https:// or a file in production" in found


def test_the_probe_counts_the_keys_of_the_issuer() -> None:
    with answering(200, body=Issuer("any").key_set()) as (url, _):
        assert ask(url) == ["keys: 1"]
    with answering(200, body='{"keys": []}') as (url, _):
        assert ask(url) == ["the set is empty: every access token is refused"]
    assert ask(None) == ["the service is its own issuer"]


def test_the_probe_says_why_the_keys_cannot_be_read() -> None:
    with answering(500) as (url, _):
        for address, reason in ((url, "answered 500"), (refused(), "Connection")):
            with pytest.raises(NoAnswer, match=reason):
                ask(address)
