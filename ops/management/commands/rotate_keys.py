from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from ops.cli.arguments import counted
from ops.cli.command import FAILED, USAGE, OpsCommand, Result
from ops.identity.own_issuer import NotRotated, Rotation, rotate_keys


class Command(OpsCommand):
    """Make a new key that signs access tokens. It signs 90 s later, when every process knows it.
    Tokens of the keys before it stay valid until they expire; keys without valid tokens are deleted.

    Examples:
      manage.py rotate_keys
      manage.py rotate_keys --revoke --yes     a key or a token was stolen: every token so far is refused

    A second run within 90 s changes nothing. It fails while 100 keys may have valid tokens. After --revoke, processes
    refuse the old tokens within 60 s, and each client needs a new one.
    """

    changes = True
    destroys = True
    exclusive = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--revoke", action="store_true", help="delete every other key; the new one signs at once")

    def perform(self, *, revoke: bool, dry_run: bool, yes: bool, **options: Any) -> Result:
        if settings.CONFIG.jwt_issuer:
            raise CommandError(f"{settings.CONFIG.jwt_issuer} (JWT_ISSUER) has the keys.", returncode=USAGE)
        if revoke and not dry_run:
            self.confirm("This makes every access token of this service invalid.", yes=yes)
        try:
            done = rotate_keys(revoke=revoke, dry_run=dry_run)
        except NotRotated as reason:
            raise CommandError(f"{reason}.", returncode=FAILED) from None
        counts = {"created": int(done.key_id is not None), "deleted": done.deleted}
        details = {"dryRun": dry_run, "key": None if dry_run else done.key_id, "signsFrom": done.signs_from}
        return Result(_sentence(done, dry_run=dry_run), counts, details=details)


def _sentence(done: Rotation, *, dry_run: bool) -> str:
    at = done.signs_from.strftime("%Y-%m-%dT%H:%M:%SZ")
    if done.key_id is None:
        return f"Nothing was changed: the newest key signs from {at} on."
    deleted = counted(done.deleted, "old key")
    if dry_run:
        return f"Would make a key that signs from {at} on, and delete {deleted}. Nothing was changed."
    return f"Key {done.key_id} signs from {at} on. Deleted {deleted}."
