"""The issuer's keys are cached, and read again when they are old or one is unknown, but seldom."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from joserfc.jwk import ECKey

from ops.identity.public_keys import MAX_AGE, REFRESH_EVERY, Key, KeysUnavailable, PublicKeys, read_keys
from ops.tests.issuer import NAME, Issuer
from ops.tests.peers import answering, refused

OLD, NEW = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))


class Source:
    """A source of keys, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.reads = 0
        self.begun, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self.found: Mapping[str, Key] | None = {str(OLD.kid): OLD}
        self.keys = PublicKeys(self.read, lambda: self.now)

    def read(self) -> Mapping[str, Key]:
        self.reads += 1
        self.begun.set()
        assert self.gate.wait(30)
        if self.found is None:
            raise KeysUnavailable("down")
        return self.found


def test_known_keys_are_read_once() -> None:
    source = Source()

    assert [source.keys.find(str(OLD.kid)) for _ in range(3)] == [OLD] * 3
    assert source.reads == 1


def test_an_unknown_key_is_looked_for_at_once_and_then_seldom() -> None:
    source = Source()
    source.keys.find(str(OLD.kid))
    source.now += REFRESH_EVERY

    source.found = {str(OLD.kid): OLD, str(NEW.kid): NEW}
    assert source.keys.find(str(NEW.kid)) == NEW
    assert [source.keys.find(f"unknown-{number}") for number in range(100)] == [None] * 100
    assert source.reads == 2


def test_a_key_that_the_issuer_has_withdrawn_is_forgotten() -> None:
    source = Source()
    source.keys.find(str(OLD.kid))

    source.found = {str(NEW.kid): NEW}
    source.now += MAX_AGE
    assert source.keys.find(str(OLD.kid)) is None


def test_while_the_issuer_is_down_the_known_keys_stay_valid() -> None:
    source = Source()
    source.keys.find(str(OLD.kid))
    source.found = None

    for _ in range(3):
        source.now += MAX_AGE
        assert source.keys.find(str(OLD.kid)) == OLD
    assert source.reads == 4


def test_an_issuer_that_was_down_from_the_start_is_asked_again_after_a_while() -> None:
    source = Source()
    source.found, found = None, source.found

    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            source.keys.find(str(OLD.kid))
    source.found = found
    source.now += REFRESH_EVERY

    assert source.keys.find(str(OLD.kid)) == OLD
    assert source.reads == 2


def test_one_thread_reads_and_the_others_wait_only_for_a_key_that_they_lack() -> None:
    source = Source()
    source.keys.find(str(OLD.kid))
    source.now += MAX_AGE
    source.begun.clear()
    source.gate.clear()
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(source.keys.find(str(OLD.kid))))
    thread.start()
    assert source.begun.wait(30)

    assert source.keys.find(str(OLD.kid)) == OLD  # while the first one still reads
    assert found == []
    source.gate.set()
    thread.join()
    assert (found, source.reads) == ([OLD], 2)


def read(address: str) -> Mapping[str, Key]:
    return read_keys(settings.CONFIG.model_copy(update={"jwt_issuer": NAME, "jwt_keys": address}))


def test_keys_come_from_a_url() -> None:
    issuer = Issuer("any")

    with answering(200, body=issuer.key_set()) as (url, asked):
        assert set(read(f"{url}/jwks")) == {issuer.keys[0].kid}

    assert asked == ["GET /jwks"]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, "", "is not a JSON Web Key Set"),
        (200, "[]", "is not a JSON Web Key Set"),
        (200, '{"keys": 5}', "is not a JSON Web Key Set"),
        (200, "[" * 60_000, "is not a JSON Web Key Set"),
        (200, " " * 70_000, "BodyTooLong"),
        (404, "{}", "answered 404"),
        (302, "{}", "answered 302"),
        (500, "{}", "answered 500"),
    ],
)
def test_any_other_answer_gives_no_keys_and_says_why(status: int, body: str, reason: str) -> None:
    with answering(status, body=body) as (url, _), pytest.raises(KeysUnavailable, match=reason):
        read(url)


def test_an_address_that_cannot_be_read_gives_no_keys() -> None:
    for address in (refused(), "/nowhere/keys.json"):
        with pytest.raises(KeysUnavailable):
            read(address)


def test_a_file_that_has_grown_beyond_the_limit_gives_no_keys_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text('{"keys": []}'.ljust(65_537))

    with pytest.raises(KeysUnavailable, match="more than 65536 bytes"):
        read(str(file))
    file.write_text('{"keys": []}'.ljust(65_536))
    assert read(str(file)) == {}


@pytest.mark.parametrize(
    "document",
    [
        *('{"kty": "PQC"}', "5", "{}", '{"kty": "EC", "crv": "P-256", "x": "!", "y": ""}'),
        '{"kty": "EC", "kid": "a", "crv": "brainpoolP256r1", "x": "AAAA", "y": "AAAA"}',
        '{"kty": "OKP", "kid": "a", "crv": "Ed25519ph", "x": "AAAA"}',
    ],
)
def test_a_key_that_is_not_understood_leaves_the_others(document: str) -> None:
    issuer: Any = Issuer("any")
    body = issuer.key_set().replace('{"keys": [', f'{{"keys": [{document}, ')

    with answering(200, body=body) as (url, _):
        assert set(read(url)) == {issuer.keys[0].kid}
