from __future__ import annotations

import sys
from functools import partial
from getpass import getpass
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from ops.cli.command import USAGE, OpsCommand, Result
from ops.config.sources import EnvironmentSource

LONGEST_PASSWORD = 4096  # characters; a longer file is the wrong one


class _Environment(BaseSettings):
    """The variables behind the options; each variable X also as X_FILE."""

    superuser_name: str | None = None
    superuser_email: str | None = None
    superuser_password: SecretStr | None = None


class Command(OpsCommand):
    """Create a superuser, or give an existing user this password, address and all rights.
    A second run changes nothing. The password is never an argument: other users of the machine could see it.

    Examples:
      manage.py ensure_superuser --username ada --email ada@shop.example --password-file /run/secrets/ada
      pass show shop/ada | manage.py ensure_superuser --username ada --password-file -
      SUPERUSER_NAME=ada SUPERUSER_PASSWORD_FILE=/run/secrets/ada manage.py ensure_superuser

    Without an option, SUPERUSER_NAME, SUPERUSER_EMAIL and SUPERUSER_PASSWORD count; with _FILE at its end, a
    variable names a file. A refused name, address or password ends with 2.
    """

    changes = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", metavar="NAME", help="the user to create or change")
        parser.add_argument("--email", metavar="ADDRESS", help="the address; by default an existing user keeps its own")
        parser.add_argument("--password-file", metavar="PATH", help="a file with the password; - is standard input")

    def perform(
        self, *, username: str | None, email: str | None, password_file: str | None, dry_run: bool, **options: Any
    ) -> Result:
        source = EnvironmentSource(_Environment)
        given = source()
        username = username or given.get("superuser_name")
        email = email or given.get("superuser_email")
        if username is None:
            raise CommandError("No user name: give --username or SUPERUSER_NAME.", returncode=USAGE)
        if password_file is not None:
            source.faults.pop("SUPERUSER_PASSWORD", None)  # the option replaces it
        for name, fault in source.faults.items():
            raise CommandError(f"{name} {fault}.", returncode=USAGE)
        password = given.get("superuser_password") if password_file is None else _read(password_file)
        if not password:
            raise CommandError(
                "A password is missing: give --password-file or SUPERUSER_PASSWORD_FILE.", returncode=USAGE
            )
        try:
            outcome, changed = ensure_superuser(username=username, email=email, password=password, dry_run=dry_run)
        except ValidationError as refusal:
            raise CommandError(f"{username!r} is refused: {_sentence(refusal)}", returncode=USAGE) from None
        counts = {name: int(name == outcome) for name in ("created", "updated", "unchanged")}
        what = f": {', '.join(changed)}" if changed else ""
        end = " Nothing was changed." if dry_run else ""
        sentence = f"Superuser {username} {'would be ' if dry_run else ''}{outcome}{what}.{end}"
        return Result(sentence, counts, details={"dryRun": dry_run, "changed": changed})


@transaction.atomic
def ensure_superuser(*, username: str, email: str | None, password: str, dry_run: bool) -> tuple[str, list[str]]:
    """Create the superuser, or change what differs; return the outcome, and the fields that were changed.

    Raise ValidationError for a bad name, address or password.

    An email of None leaves the address alone. A correct password keeps its hash, and with it the user's sessions.
    """
    wanted: dict[str, Any] = {"is_active": True, "is_staff": True, "is_superuser": True}
    if email is not None:
        wanted["email"] = User.objects.normalize_email(email)
    candidate = User(username=User.normalize_username(username), **wanted)
    candidate.clean_fields(exclude=["password"])
    validate_password(password, candidate)
    user, created = User.objects.select_for_update().get_or_create(
        username=candidate.username, defaults=wanted | {"password": partial(make_password, password)}
    )
    if created:
        transaction.set_rollback(dry_run)
        return "created", []
    changed = [name for name, value in wanted.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, wanted[name])
    if not check_password(password, user.password):
        user.password = make_password(password)
        changed.append("password")
    if changed:
        user.save(update_fields=changed)
    transaction.set_rollback(dry_run)
    return "updated" if changed else "unchanged", changed


def _read(path: str) -> str:
    """Return the password in the file; a terminal does not show it."""
    try:
        if path == "-":
            text = getpass(stream=sys.stderr) if sys.stdin.isatty() else sys.stdin.read(LONGEST_PASSWORD + 1)
        else:
            with Path(path).open(encoding="utf-8") as file:
                text = file.read(LONGEST_PASSWORD + 1)
    except (OSError, UnicodeDecodeError) as error:
        fault = getattr(error, "strerror", None) or "is not UTF-8"
        raise CommandError(f"--password-file {path} cannot be read: {fault}.", returncode=USAGE) from None
    if len(text) > LONGEST_PASSWORD:
        raise CommandError(f"--password-file {path} is too long to be a password.", returncode=USAGE)
    return text.rstrip("\r\n")


def _sentence(refusal: ValidationError) -> str:
    if hasattr(refusal, "error_dict"):
        return " ".join(f"{name}: {' '.join(texts)}" for name, texts in refusal.message_dict.items())
    return " ".join(refusal.messages)
