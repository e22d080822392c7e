"""SERVICE_KEY and SERVICE_KEYS: each fault is named, and no part of a key is quoted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from ops.management.commands import check_config, doctor
from ops.tests.run_command import run
from ops.tests.settings import PlainConfig

OWN, OTHER = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))
FOREIGN: list[Any] = [
    RSAKey.generate_key(2048, auto_kid=True),
    OKPKey.generate_key("Ed25519", auto_kid=True),
    OctKey.generate_key(256, auto_kid=True),
    ECKey.generate_key("P-384", auto_kid=True),
]


def jwk(key: Any = OWN, *, private: bool = False, **changed: Any) -> dict[str, Any]:
    members = key.as_dict(private=private) | {"service": "plain-service"} | changed
    return {name: value for name, value in members.items() if value is not None}


def faults(key: Any = None, keys: Any = None, **others: str) -> dict[str, str]:
    given = {"SERVICE_KEY": key, "SERVICE_KEYS": None if keys is None else {"keys": keys}}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items() if value}
    found = dict(PlainConfig.read(texts | others).faults)
    assert str(OWN.as_dict(private=True)["d"]) not in str(found)
    return found


def test_a_pair_and_the_keys_of_others_are_sound() -> None:
    others = [jwk(OTHER, service="orders-service"), jwk(ECKey.generate_key("P-256", auto_kid=True))]

    assert faults(jwk(private=True), [jwk(), *others]) == {}
    assert faults(jwk(private=True, use="sig", alg="ES256"), [jwk(use="sig")]) == {}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("not JSON", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ([], "curve P-256"),
        ({"kty": "EC"}, "curve P-256"),
        *((jwk(key, private=True), "curve P-256") for key in FOREIGN),
        (jwk(), "is a public key"),
        (jwk(private=True, d=OTHER.as_dict(private=True)["d"]), "curve P-256"),
        (jwk(private=True, use="enc"), "curve P-256"),
        (jwk(private=True, kid=None), "needs the member kid"),
        (jwk(private=True, kid=""), "needs the member kid"),
        (jwk(private=True, service=None), "needs the member service"),
        (jwk(private=True, service=["plain-service"]), "needs the member service"),
        (jwk(private=True, service="orders-service"), "is the key of another service"),
    ],
)
def test_what_is_not_the_private_key_of_this_service_is_a_fault(key: Any, why: str) -> None:
    found = faults(key or "[]", [jwk()])

    assert set(found) == {"SERVICE_KEY"}
    assert why in found["SERVICE_KEY"]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([], "is not a JSON Web Key Set"),
        ([jwk(), None], "key 2 is not a JSON Web Key"),
        ([jwk(), list(jwk().items())], "key 2 is not a JSON Web Key"),
        ([jwk(), jwk(OTHER) | {"alg": "ES384"}], "key 2 is not a JSON Web Key"),
        ([jwk(), jwk(OTHER) | {"key_ops": ["sign"]}], "key 2 is not a JSON Web Key"),
        ([jwk(), jwk(FOREIGN[0])], "key 2 is not a JSON Web Key"),
        ([jwk(), jwk(OTHER, private=True)], "key 2 is private"),
        ([jwk(), jwk(OTHER, service=None)], "key 2 needs the member service"),
        ([jwk(), jwk(OTHER, kid=OWN.kid)], "key 2 has the kid of another key"),
        ([jwk(OTHER)], "lacks the public key of SERVICE_KEY"),
        ([jwk(OTHER, kid=OWN.kid)], "lacks the public key of SERVICE_KEY"),
        ([jwk(service="orders-service")], "lacks the public key of SERVICE_KEY"),
    ],
)
def test_what_is_not_a_set_of_public_keys_with_the_own_one_is_a_fault(keys: Any, why: str) -> None:
    found = faults(jwk(private=True), keys)

    assert set(found) == {"SERVICE_KEYS"}
    assert why in found["SERVICE_KEYS"]


def test_one_variable_without_the_other_is_a_fault() -> None:
    assert "together" in faults(key=jwk(private=True))["SERVICE_KEYS"]
    assert "together" in faults(keys=[jwk()])["SERVICE_KEYS"]


def test_both_faults_are_named_at_once() -> None:
    assert set(faults(jwk(), [jwk(OTHER, private=True)])) == {"SERVICE_KEY", "SERVICE_KEYS"}


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({}, "Give every service a SERVICE_KEY"),
        ({"SERVICE_KEY": jwk(private=True), "SERVICE_KEYS": {"keys": [jwk()]}}, "Unset it in the services"),
    ],
)
def test_the_shared_token_is_deprecated_and_the_next_step_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any], advice: str
) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "Qd4Vt8Yb2Nf6Kx0Ws5Mh9Rj3Lp7Zc1Ga")
    for name, value in variables.items():
        monkeypatch.setenv(name, json.dumps(value))

    code, _, said = run(check_config.Command(PlainConfig))
    report = json.loads(run(check_config.Command(PlainConfig), "--json")[1])

    assert code == 0
    assert f"SERVICE_TOKEN is deprecated. {advice}" in said
    assert report["deprecated"]["SERVICE_TOKEN"].startswith(advice)


@pytest.mark.django_db(transaction=True)
def test_doctor_warns_of_the_shared_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "Qd4Vt8Yb2Nf6Kx0Ws5Mh9Rj3Lp7Zc1Ga")

    checks = json.loads(run(doctor.Command(PlainConfig), "--json")[1])["checks"]

    found = [(line["level"], line["says"]) for line in checks if line["id"] == "configuration.sound"]
    assert found == [("warning", "SERVICE_TOKEN is deprecated")]
