from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from ops.cli.arguments import check_client_name
from ops.cli.command import USAGE, OpsCommand, Result
from ops.identity.own_issuer import save_client


class Command(OpsCommand):
    """Create a client of the API, or give an existing one exactly these scopes. `issue_token` gives it tokens.
    A second run changes nothing. A scope that is taken away stays in the tokens that the client has.

    Examples:
      manage.py create_client shop --scope orders:write orders:read:own
      manage.py create_client shop                                        take every scope away

    It is for a service that issues its tokens itself. With JWT_ISSUER the issuer knows the clients.
    """

    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the client, as its tokens name it in `sub`")
        parser.add_argument("--scope", nargs="+", default=[], metavar="SCOPE", help="what its tokens may open")

    def perform(self, *, name: str, scope: list[str], dry_run: bool, **options: Any) -> Result:
        if settings.CONFIG.jwt_issuer:
            raise CommandError(f"{settings.CONFIG.jwt_issuer} (JWT_ISSUER) knows the clients.", returncode=USAGE)
        check_client_name(name)
        if unknown := sorted(set(scope) - set(settings.SCOPES)):
            known = ", ".join(settings.SCOPES)
            raise CommandError(f"{', '.join(unknown)}: not a scope of this service: {known}.", returncode=USAGE)
        outcome = save_client(name=name, scopes=scope, dry_run=dry_run)
        counts = {each: int(each == outcome) for each in ("created", "updated", "unchanged")}
        scopes = sorted(set(scope))
        sentence = f"Client {name} {'would be ' if dry_run else ''}{outcome}: {' '.join(scopes) or 'no scope'}."
        return Result(sentence, counts, details={"dryRun": dry_run, "scopes": scopes})
