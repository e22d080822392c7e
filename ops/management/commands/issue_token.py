from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from ops.cli.arguments import check_client_name, duration
from ops.cli.command import FAILED, USAGE, OpsCommand, Result
from ops.identity.own_issuer import LONGEST_LIFETIME, NotIssued, issue_token


class Command(OpsCommand):
    """Print an access token of a client, which this service accepts until it expires. It is not stored or logged.

    Examples:
      manage.py issue_token shop
      curl -H "Authorization: Bearer $(manage.py issue_token shop)" localhost:3002/orders
      manage.py issue_token shop --scope orders:write --lifetime 12h

    `create_client` makes the client and `rotate_keys` the first key. With JWT_ISSUER the issuer issues the tokens.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the client")
        parser.add_argument("--scope", nargs="+", metavar="SCOPE", help="some of its scopes (default: all)")
        parser.add_argument(
            "--lifetime", type=_lifetime, default="1h", metavar="TIME", help="1h to 30d (default: %(default)s)"
        )

    def perform(self, *, name: str, scope: list[str] | None, lifetime: timedelta, **options: Any) -> Result:
        if settings.CONFIG.jwt_issuer:
            raise CommandError(f"{settings.CONFIG.jwt_issuer} (JWT_ISSUER) issues the tokens.", returncode=USAGE)
        check_client_name(name)
        try:
            token = issue_token(name=name, scopes=scope, lifetime=lifetime)
        except NotIssued as reason:
            raise CommandError(f"{reason}.", returncode=FAILED) from None
        return Result(token, {"issued": 1}, details={"token": token, "expiresIn": int(lifetime.total_seconds())})


def _lifetime(text: str) -> timedelta:
    span = duration(text)
    if not timedelta() < span <= LONGEST_LIFETIME:
        raise ArgumentTypeError(f"{text!r} is not a time from 1h to 30d")
    return span
