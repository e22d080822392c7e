"""Without JWT_ISSUER the service issues its tokens itself: clients, tokens, and the rotation of keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.utils import timezone
from joserfc import jws

from ops.cli.command import FAILED, USAGE
from ops.identity import own_issuer
from ops.identity.access_token import read_access_token
from ops.identity.credentials import TokenRefused
from ops.identity.models import Client, SigningKey
from ops.identity.public_keys import public_keys
from ops.tests.run_command import run

pytestmark = pytest.mark.django_db

WRITE, READ = "things:write", "things:read"


@pytest.fixture(autouse=True)
def _no_known_keys() -> Iterator[None]:
    public_keys.cache_clear()
    yield
    public_keys.cache_clear()


def token_of(name: str = "shop", *arguments: str) -> str:
    code, out, err = run("issue_token", name, *arguments)
    assert code == 0, err
    return out.strip()


def age(key_id: str, by: timedelta) -> None:
    """Make the key older."""
    SigningKey.objects.filter(key_id=key_id).update(created_at=timezone.now() - by)


def rotate(*arguments: str) -> dict[str, Any]:
    code, out, err = run("rotate_keys", "--json", *arguments)
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def rotate_for_good() -> str:
    """Rotate, and return the key once it signs."""
    key: str = rotate()["key"]
    age(key, own_issuer.PUBLISHED_FIRST)
    return key


def test_a_client_gets_a_token_that_the_service_accepts() -> None:
    run("create_client", "shop", "--scope", WRITE, READ)
    rotate()

    token = read_access_token(token_of())

    assert (token.subject, set(token.scopes)) == ("shop", {READ, WRITE})
    assert read_access_token(token_of("shop", "--scope", READ)).scopes == {READ}


def test_creating_a_client_twice_changes_nothing_and_other_scopes_replace_the_first() -> None:
    first, again = (run("create_client", "shop", "--scope", WRITE)[1] for _ in range(2))
    foreseen = run("create_client", "shop", "--scope", READ, READ, "--dry-run")[1]
    assert Client.objects.get().scopes == WRITE
    changed = run("create_client", "shop", "--scope", READ)[1]

    assert (first, again) == ("Client shop created: things:write.\n", "Client shop unchanged: things:write.\n")
    assert (foreseen, changed) == (
        "Client shop would be updated: things:read.\n",
        "Client shop updated: things:read.\n",
    )
    assert Client.objects.get().scopes == READ


def test_a_dry_run_creates_neither_a_client_nor_a_key() -> None:
    run("create_client", "shop", "--scope", WRITE, "--dry-run")
    rotate("--dry-run")

    assert not Client.objects.exists()
    assert not SigningKey.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("create_client", "a shop"), USAGE, "'a shop'"),
        (("create_client", "x" * 101), USAGE, "100 at most"),
        (("issue_token", "\udcff"), USAGE, "'\\udcff' is not a name"),  # a byte that is not UTF-8
        (("issue_token", ""), USAGE, "'' is not a name"),
        (("create_client", "shop", "--scope", "things:wirte"), USAGE, "things:wirte: not a scope of this service"),
        (("issue_token", "absent"), FAILED, "client absent does not exist"),
        (("issue_token", "empty"), FAILED, "empty has no scope"),
        (("issue_token", "reader", "--scope", WRITE), FAILED, "reader lacks the scope things:write"),
        (("issue_token", "reader"), FAILED, "no key exists yet: rotate_keys makes one"),
    ],
)
def test_bad_input_is_named(arguments: tuple[str, ...], code: int, named: str) -> None:
    own_issuer.save_client(name="reader", scopes=[READ])
    own_issuer.save_client(name="empty", scopes=[])

    found, _, err = run(*arguments)

    assert found == code
    assert named in err


@pytest.mark.parametrize("lifetime", ["0h", "31d", "1y", "-1h"])
def test_a_lifetime_out_of_bounds_is_refused(lifetime: str) -> None:
    with pytest.raises(CommandError, match="--lifetime"):
        run("issue_token", "shop", f"--lifetime={lifetime}")


@pytest.mark.parametrize("arguments", [("create_client", "shop"), ("issue_token", "shop"), ("rotate_keys",)])
def test_with_another_issuer_the_commands_name_it(settings: Any, arguments: tuple[str, ...]) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"jwt_issuer": "https://id.shop.example"})

    code, _, err = run(*arguments)

    assert code == USAGE
    assert "https://id.shop.example (JWT_ISSUER)" in err


def test_a_new_key_signs_only_once_every_process_knows_it() -> None:
    own_issuer.save_client(name="shop", scopes=[READ])
    first = rotate_for_good()
    second: str = rotate()["key"]

    assert key_of(token_of()) == first
    age(second, own_issuer.PUBLISHED_FIRST)
    assert key_of(token_of()) == second


def test_rotating_again_at_once_changes_nothing() -> None:
    first, second = rotate(), rotate()

    assert (first["counts"]["created"], second["counts"]["created"]) == (1, 0)
    assert second["summary"].startswith("Nothing was changed: the newest key signs from ")


def test_tokens_of_the_key_before_stay_valid_and_their_key_goes_once_they_have_expired() -> None:
    own_issuer.save_client(name="shop", scopes=[READ])
    first = rotate_for_good()
    token = token_of()
    second = rotate_for_good()
    assert read_access_token(token).subject == "shop"

    age(first, own_issuer.LONGEST_LIFETIME * 3)
    age(second, own_issuer.LONGEST_LIFETIME)
    assert (
        rotate("--dry-run")["counts"]["deleted"] == 0
    )  # a token of the first may have been made 90 s after the second
    age(second, own_issuer.LONGEST_LIFETIME + own_issuer.PUBLISHED_FIRST)
    assert rotate()["counts"]["deleted"] == 1
    assert not SigningKey.objects.filter(key_id=first).exists()


def test_a_key_stays_while_its_successor_cannot_be_opened() -> None:
    own_issuer.save_client(name="shop", scopes=[READ])
    first, second = rotate_for_good(), rotate_for_good()
    age(first, own_issuer.LONGEST_LIFETIME * 3)
    age(second, own_issuer.LONGEST_LIFETIME * 2)
    SigningKey.objects.filter(key_id=second).update(sealed="of another SECRET_KEY")
    token = token_of()

    third = rotate()

    assert third["counts"]["deleted"] == 0
    assert key_of(token) == key_of(token_of()) == first
    age(third["key"], own_issuer.LONGEST_LIFETIME + own_issuer.PUBLISHED_FIRST)
    assert rotate()["counts"]["deleted"] == 2


def test_of_many_keys_the_newest_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.identity.public_keys.MOST_KEYS", 2)
    for days in (1, 3, 2):
        age(rotate()["key"], timedelta(days=days))
    newest = rotate_for_good()

    assert public_keys().find(newest) is not None


def test_a_key_more_than_are_read_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_issuer, "MOST_KEYS", 2)
    for days in (2, 1):
        age(rotate()["key"], timedelta(days=days))
    before = set(SigningKey.objects.values_list("key_id", flat=True))

    for options in ((), ("--dry-run",)):
        code, _, err = run("rotate_keys", *options)
        assert (code, "2 keys may have valid tokens" in err) == (FAILED, True)
    assert set(SigningKey.objects.values_list("key_id", flat=True)) == before
    assert rotate("--revoke", "--yes")["counts"] == {"created": 1, "deleted": 2}


def test_revoking_refuses_every_token_so_far() -> None:
    own_issuer.save_client(name="shop", scopes=[READ])
    rotate_for_good()
    stolen = token_of()

    refused = run("rotate_keys", "--revoke")
    rotate("--revoke", "--yes")
    public_keys.cache_clear()  # as a minute later

    assert (refused[0], "--yes" in refused[2]) == (USAGE, True)
    with pytest.raises(TokenRefused, match="unknown_key"):
        read_access_token(stolen)
    assert read_access_token(token_of()).subject == "shop"


def test_a_replaced_secret_key_opens_the_sealed_keys_while_it_is_among_the_fallbacks(settings: Any) -> None:
    own_issuer.save_client(name="shop", scopes=[READ])
    first = rotate_for_good()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-key-0123456789", [settings.SECRET_KEY]
    assert key_of(token_of()) == first

    settings.SECRET_KEY_FALLBACKS = []
    assert "no key can be read under SECRET_KEY" in run("issue_token", "shop")[2]
    second = rotate()
    assert datetime.fromisoformat(second["signsFrom"]) <= timezone.now()
    assert key_of(token_of()) == second["key"]  # at once, as the first one cannot sign


@pytest.mark.parametrize("fallbacks", [True, False])
def test_a_key_that_secret_key_does_not_open_is_replaced_though_it_is_new(settings: Any, fallbacks: bool) -> None:
    own_issuer.save_client(name="shop", scopes=[READ])
    first: str = rotate()["key"]
    settings.SECRET_KEY, old = "another-key-0123456789", settings.SECRET_KEY
    settings.SECRET_KEY_FALLBACKS = [old] if fallbacks else []

    second, again = rotate(), rotate()

    assert (second["counts"]["created"], again["counts"]["created"]) == (1, 0)
    assert key_of(token_of()) == (first if fallbacks else second["key"])
    assert (datetime.fromisoformat(second["signsFrom"]) <= timezone.now()) is not fallbacks


@pytest.mark.parametrize(
    "sealed", ["", "garbage", "a.b.c.d.e", "\u20ac", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0...."]
)
def test_a_damaged_key_leaves_the_others(sealed: str) -> None:
    own_issuer.save_client(name="shop", scopes=[READ])
    first = rotate_for_good()
    damaged = rotate_for_good()
    SigningKey.objects.filter(key_id=damaged).update(sealed=sealed)

    assert key_of(token_of()) == first
    SigningKey.objects.filter(key_id=first).delete()
    age(damaged, timedelta(0))
    made: str = rotate()["key"]
    assert key_of(token_of()) == made


def test_the_private_half_of_a_key_is_not_in_the_database() -> None:
    rotate()

    key = SigningKey.objects.get()
    assert set(json.loads(key.public)) == {"kty", "crv", "x", "y", "kid"}
    assert key.sealed.count(".") == 4  # a compact JWE


def key_of(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])
