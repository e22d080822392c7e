"""Tokens that no service may accept, each made from a valid one by one change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from ops.identity.service_token import TYPE, development_key
from ops.tests.issuer import Issuer
from ops.tests.service_tokens import ORDERS, service_token

CANARY = "c4n4ry"  # in every claim that the forger may choose, so that a leak shows
NEVER = "http://127.0.0.1:9/jwks.json"  # where a forger would publish its keys


@dataclass(frozen=True)
class Forgery:
    """A header, and the status and error that refuse it."""

    name: str
    authorization: str
    status: int = 401
    error: str | None = "invalid_token"


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Forger:
    """Knows the issuer's public keys, its valid tokens, and keys of its own."""

    def __init__(self, issuer: Issuer, scope: str) -> None:
        self._issuer = issuer
        self._scope = scope
        self._rsa: Any = next(key for key in issuer.keys if isinstance(key, RSAKey))
        self._ec: Any = next(key for key in issuer.keys if isinstance(key, ECKey))
        self._own_rsa = RSAKey.generate_key(2048, {"kid": str(self._rsa.kid)})
        self._own_ec = ECKey.generate_key("P-256", {"kid": str(self._ec.kid)})

    def valid(self, **changed: Any) -> str:
        return self._issuer.token(**({"scope": self._scope, "email": CANARY} | changed))

    def unsigned(self, header: Any, claims: Any = None, signature: bytes = b"") -> str:
        claims = self._issuer.claims(scope=self._scope, email=CANARY) if claims is None else claims
        header = self._issuer.head | header if isinstance(header, dict) else header
        return f"{encoded(header)}.{encoded(claims)}.{encoded(signature)}"

    def keyed(self, secret: bytes, alg: str = "HS256", **header: Any) -> str:
        """Return a token whose signature is a MAC under a secret that the forger knows."""
        text = self.unsigned({"alg": alg, "kid": self._rsa.kid, **header}).rsplit(".", 1)[0]
        digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
        return f"{text}.{encoded(hmac.digest(secret, text.encode(), digest))}"

    def forgeries(self) -> Iterator[Forgery]:
        """Yield each forgery."""
        for make in (self._headers, self._signatures, self._heads, self._claims):
            for name, value in make():
                yield Forgery(name, value if " " in value else f"Bearer {value}")
        yield Forgery("no header value", "Bearer")
        yield Forgery("an empty token", "Bearer ")
        yield Forgery("another scheme", f"Basic {self.valid()}", error=None)
        yield Forgery("an empty header", "", error=None)
        yield Forgery("a tab after the scheme", f"Bearer\t{CANARY}")
        yield Forgery("no scheme", self.valid(), error=None)
        yield Forgery("the scheme glued to it", f"Bearer{self.valid()}", error=None)
        yield from self._rights()

    def _rights(self) -> Iterator[Forgery]:
        for name, scope in [("no scope", None), ("a read's scope", "orders:read products:read"), ("upper case", "ALL")]:
            yield Forgery(name, f"Bearer {self.valid(scope=scope)}", 403, "insufficient_scope")
        yield Forgery("scopes by commas", f"Bearer {self.valid(scope=self._scope + ',x')}", 403, "insufficient_scope")
        yield Forgery("scopes as a list", f"Bearer {self.valid(scope=[self._scope])}")
        yield Forgery("scopes as a number", f"Bearer {self.valid(scope=1)}")
        yield Forgery("a service's token in its head", f"Bearer {self.valid(header={'typ': TYPE})}")

    def _headers(self) -> Iterator[tuple[str, str]]:
        token = self.valid()
        head, claims, signature = token.split(".")
        yield "two tokens", f"Bearer {token} {token}"
        yield "two headers as one", f"Bearer {token}, Bearer {token}"
        yield "quotes around it", f'Bearer "{token}"'
        yield "a word", CANARY
        yield "two parts", f"{head}.{claims}"
        yield "four parts", f"{token}.{signature}"
        yield "five parts, as an encrypted one", f"{head}.{claims}.{signature}.{claims}.{signature}"
        yield "dots alone", ".."
        yield "not base64 in the head", f"!!!.{claims}.{signature}"
        yield "not base64 in the claims", f"{head}.%%%.{signature}"
        yield "not base64 in the signature", f"{head}.{claims}.~~~"
        yield "padding", f"{head}==.{claims}=.{signature}=="
        yield "huge", f"{head}.{claims}{'A' * 7000}.{signature}"
        yield "a huge head", f"{encoded({'alg': 'ES256', 'kid': self._ec.kid, 'x': CANARY * 400})}.{claims}.{signature}"
        yield "letters beyond ASCII", f"{head}.{claims}.t\xf6k\xe9n"
        yield "an encoded token within", encoded(token.encode())

    def _signatures(self) -> Iterator[tuple[str, str]]:
        token = self.valid()
        head, claims, signature = token.split(".")
        others = self._issuer.claims(scope=self._scope, sub=f"{CANARY}-admin")
        yield "no signature", f"{head}.{claims}."
        yield "other claims under the signature", f"{head}.{encoded(others)}.{signature}"
        yield "half a signature", f"{head}.{claims}.{signature[: len(signature) // 2]}"
        yield "a signature of zeros", f"{head}.{claims}.{encoded(bytes(64))}"
        yield "a signature of another token", f"{head}.{claims}.{self.valid(exp=int(time.time()) + 5).split('.')[2]}"
        yield "a signature in DER", f"{head}.{claims}.{encoded(bytes.fromhex('3006020101020101'))}"
        yield "a key of the forger under a known id", self.valid(key=self._own_ec)
        yield "an RSA key of the forger under a known id", self.valid(key=self._own_rsa)
        yield "an unknown key id", self.valid(key=self._own_ec, header={"kid": CANARY})
        yield "without a key id", self.valid(header={"kid": None})
        yield "an empty key id", self.unsigned({"alg": "ES256", "kid": ""}, signature=bytes(64))
        yield "the id of the other key", self.valid(key=self._ec, header={"kid": str(self._rsa.kid)})
        pem = self._rsa.as_pem(private=False)
        for alg in ("HS256", "HS384", "HS512"):
            yield f"{alg} with the public key as the secret", self.keyed(pem, alg)
        yield "HS256 with the key's modulus as the secret", self.keyed(self._rsa.as_dict()["n"].encode())
        yield (
            "HS256 with the key's JSON as the secret",
            self.keyed(json.dumps(self._rsa.as_dict(private=False)).encode()),
        )
        yield "HS256 with an empty secret", self.keyed(b"")
        yield "RS256 with an EC key's id", self.unsigned({"alg": "RS256", "kid": self._ec.kid}, signature=bytes(256))
        yield "ES384 with a key of P-256", self.unsigned({"alg": "ES384", "kid": self._ec.kid}, signature=bytes(96))

    def _heads(self) -> Iterator[tuple[str, str]]:
        algorithms: list[Any] = [
            "none",
            "None",
            "NONE",
            "nOnE",
            "",
            "HS1",
            "dir",
            "EdDSA",
            "ES256K",
            None,
            5,
            ["ES256"],
            {},
        ]
        for alg in algorithms:
            yield f"the algorithm {alg!r}", self.unsigned({"alg": alg, "kid": self._ec.kid})
        own = self._own_ec.as_dict(private=False)
        key: dict[str, Any] = {"key": self._own_ec}
        yield "a jku of the forger", self.valid(**key, header={"jku": NEVER, "kid": CANARY})
        yield "a jku beside a known id", self.valid(**key, header={"jku": NEVER})
        yield "an x5u of the forger", self.valid(**key, header={"x5u": NEVER})
        yield "its own key in the head", self.valid(**key, header={"jwk": own})
        yield "a kid that is a path", self.valid(**key, header={"kid": "../../../../dev/null"})
        yield "a kid that is SQL", self.valid(**key, header={"kid": "x' OR 1=1 --"})
        yield "a kid that is a number", self.unsigned({"alg": "ES256", "kid": 1}, signature=bytes(64))
        yield (
            "an unknown crit",
            self.unsigned({"alg": "ES256", "kid": self._ec.kid, "crit": ["x"], "x": 1}, None, bytes(64)),
        )
        yield "crit that is a number", self.unsigned({"alg": "ES256", "kid": self._ec.kid, "crit": 5})
        yield (
            "an unencoded payload",
            self.unsigned({"alg": "ES256", "kid": self._ec.kid, "b64": False, "crit": ["b64"]}),
        )
        for name, head in {
            "a list": [],
            "a list of alg": ["alg"],
            "a text": "alg",
            "null": None,
            "a number": 5,
        }.items():
            yield f"a head that is {name}", self.unsigned(head)
        yield "a head that is not JSON", self.unsigned(b"{alg: none}")
        yield "a head that is not UTF-8", self.unsigned(b'{"alg": "\xff"}')
        yield "a head nested deeply", self.unsigned(b"[" * 380)
        yield "alg twice", self.unsigned(b'{"alg":"ES256","alg":"none","kid":"x"}')

    def _claims(self) -> Iterator[tuple[str, str]]:
        now = int(time.time())
        changes: dict[str, dict[str, Any]] = {
            "expired": {"exp": now - 3600},
            "expired in 1970": {"exp": 0},
            "an exp that is text": {"exp": str(now + 600)},
            "an exp that is true": {"exp": True},
            "an exp that is NaN": {"exp": float("nan")},
            "without exp": {"exp": None},
            "from the future": {"nbf": now + 3600},
            "an nbf that is text": {"nbf": "now"},
            "issued in the future": {"iat": now + 3600},
            "another audience": {"aud": f"{CANARY}-service"},
            "no audience of many": {"aud": ["a", "b"]},
            "an empty list of audiences": {"aud": []},
            "an audience that is an object": {"aud": {"shop": True}},
            "without an audience": {"aud": None},
            "another issuer": {"iss": f"https://{CANARY}.example"},
            "an issuer with a slash more": {"iss": "https://id.shop.example/"},
            "an issuer that is a list": {"iss": ["https://id.shop.example"]},
            "without an issuer": {"iss": None},
            "without a subject": {"sub": None},
            "an empty subject": {"sub": ""},
            "a subject that is a number": {"sub": 1},
            "a subject with NUL": {"sub": "shop\0"},
            "a subject with a line break": {"sub": "shop\nlevel=error"},
            "a huge subject": {"sub": CANARY * 50},
        }
        for name, changed in changes.items():
            yield name, self.valid(**changed)
        for name, payload in {
            "a list": b"[]",
            "null": b"null",
            "text": b'"x"',
            "not JSON": b"{",
            "NaN": b"NaN",
        }.items():
            yield f"signed claims that are {name}", self._signed(payload)
        yield "signed claims nested deeply", self._signed(b"[" * 5000)
        yield "a signed token within a token", self._signed(self.valid().encode())

    def _signed(self, payload: bytes) -> str:
        """Return these bytes under a valid signature, as a careless issuer could sign them."""
        return jws.serialize_compact({"alg": "ES256", "kid": self._ec.kid} | self._issuer.head, payload, self._ec)


@dataclass
class OrdersItself(Issuer):
    """Signs the tokens of orders for another service, with the last of the keys."""

    head: ClassVar[dict[str, Any]] = {"typ": TYPE}

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": ORDERS, "sub": ORDERS, "aud": self.audience, "iat": now, "exp": now + 60} | changed
        return {name: value for name, value in claims.items() if value is not None}

    def public_key(self, service: str = ORDERS) -> dict[str, Any]:
        members: dict[str, Any] = self.keys[-1].as_dict(private=False)
        return members | {"service": service}


class ServiceForger(Forger):
    """Forges the tokens of orders. `shop` is another service that is known, `clients` the issuer of access tokens."""

    def __init__(self, orders: OrdersItself, shop: OrdersItself, clients: Issuer) -> None:
        super().__init__(orders, "")
        self._shop, self._clients = shop, clients

    def _rights(self) -> Iterator[Forgery]:
        now = int(time.time())
        shop: dict[str, Any] = {"iss": "shop-service", "sub": "shop-service"}
        tokens = {
            "a client's access token": self._clients.token(scope="products:write orders:write"),
            "a client's token with a service's type": self._clients.token(header={"typ": TYPE}),
            "an access token's type": self.valid(header={"typ": "at+jwt"}),
            "the type JWT": self.valid(header={"typ": "JWT"}),
            "without a type": self.valid(header={"typ": None}),
            "the type in upper case": self.valid(header={"typ": TYPE.upper()}),
            "a life of an hour": self.valid(exp=now + 3600),
            "a life without end": self.valid(exp=10**300),
            "an infinite exp": self.valid(exp=float("inf")),
            "without iat": self.valid(iat=None),
            "another service's key for orders": self._shop.token(),
            "another service's key under the id of orders": self._shop.token(header={"kid": str(self._ec.kid)}),
            "another service in sub": self.valid(sub="shop-service"),
            "another service in iss": self.valid(iss="shop-service"),
            "its own service in both": self.valid(**shop),
            "the key of development": service_token(self._issuer.audience),
            "the key of development under the id of orders": service_token(
                self._issuer.audience, key=development_key(ORDERS), header={"kid": str(self._ec.kid)}
            ),
        }
        for name, token in tokens.items():
            yield Forgery(name, f"Bearer {token}")
        yield Forgery("a service that has no business there", f"Bearer {self._shop.token(**shop)}", 403, None)
