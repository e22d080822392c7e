"""The credentials of `Authorization: Bearer` (RFC 6750): a client's access token, and a service's token.

A token does not identify a user. Such a request has no session and no form, so it needs no CSRF token.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from structlog.contextvars import bind_contextvars

from ops.identity.credentials import AccessToken, Caller, TokenRefused

SCHEME = "Bearer"


def challenge(**parameters: str) -> str:
    """Return the value of WWW-Authenticate."""
    pairs = {"realm": settings.CONFIG.service, **parameters}
    return f"{SCHEME} " + ", ".join(f'{name}="{value}"' for name, value in pairs.items())


class InvalidToken(APIException):
    """The token is not valid here; the log has the reason, which would help a forger."""

    code = "invalid_token"
    default_code = code
    status_code = 401
    default_detail = "The token is not valid for this service, or it has expired."

    def __init__(self, refusal: TokenRefused) -> None:
        super().__init__()
        bind_contextvars(token_refused=refusal.reason)  # for the request's log line
        self.headers = {"WWW-Authenticate": challenge(error=self.code)}


class IssuerUnavailable(APIException):
    """The keys of the issuer could not be read, so no token can be judged."""

    code = "issuer_unavailable"
    default_code = code
    status_code = 503
    default_detail = "The access token cannot be checked at the moment; try again."

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.headers = {"Retry-After": f"{seconds:.0f}"}


def bearer_token(request: Request) -> str | None:
    """Return the token of the header, after any white space; None if the header has another scheme or is absent."""
    header = request.META.get("HTTP_AUTHORIZATION")
    if not header:
        return None
    scheme, *token = header.split() or [""]
    return " ".join(token) if scheme.lower() == SCHEME.lower() else None


class BearerAuthentication(BaseAuthentication):
    """Recognize a client by its access token; refuse a wrong one, also where none is needed."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, AccessToken] | None:
        token = bearer_token(request)
        if token is None:
            return None
        from ops.identity.access_token import read_access_token  # noqa: PLC0415 - see credentials.py
        from ops.identity.public_keys import REFRESH_EVERY, KeysUnavailable  # noqa: PLC0415 - likewise

        try:
            access_token = read_access_token(token)
        except TokenRefused as refusal:
            raise InvalidToken(refusal) from None
        except KeysUnavailable:
            raise IssuerUnavailable(REFRESH_EVERY) from None
        bind_contextvars(subject=access_token.subject)
        return AnonymousUser(), access_token

    def authenticate_header(self, request: Request) -> str:
        return challenge()


class ServiceTokenAuthentication(BaseAuthentication):
    """Recognize a service by its token, and refuse a wrong one; `IsService` refuses other clients."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        token = bearer_token(request)
        if token is None:
            return None
        from ops.identity.caller import callers  # noqa: PLC0415 - see credentials.py

        try:
            caller = callers().recognize(token)
        except TokenRefused as refusal:
            raise InvalidToken(refusal) from None
        bind_contextvars(caller=caller.service or "shared")
        return AnonymousUser(), caller

    def authenticate_header(self, request: Request) -> str:
        return challenge()
