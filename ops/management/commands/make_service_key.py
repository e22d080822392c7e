from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from joserfc.jwk import ECKey

from ops.cli.command import USAGE, OpsCommand, Result
from ops.cli.output import open_output
from ops.config.service_keys import CURVE, read_key_set


class Command(OpsCommand):
    """Make a key pair that identifies this service to others. SERVICE_KEY takes the private key,
    SERVICE_KEYS of every service the public one. DJANGO_ENV=development is enough for it.

    Examples:
      manage.py make_service_key --to service_key --add-to service_keys
      manage.py make_service_key --add-to service_keys > service_key
      manage.py make_service_key --json | jq .publicKey

    --to makes a file of mode 600; an existing one is an error. Without it, the private key goes to standard output.
    --add-to makes the file of the public keys, or adds this one. docs/operations/identity.md has the order of a
    rotation in which no request is refused.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, metavar="FILE", help="a new file for the private key")
        parser.add_argument("--add-to", type=Path, metavar="FILE", help="the file of the services' public keys (JWKS)")

    def perform(self, *, to: Path | None, add_to: Path | None, **options: Any) -> Result:
        service = settings.CONFIG.service
        key = ECKey.generate_key(CURVE, {"use": "sig"}, auto_kid=True)
        public, private = (key.as_dict(private=half) | {"service": service} for half in (False, True))
        if to and add_to and os.path.realpath(to) == os.path.realpath(add_to):
            raise CommandError(f"--to and --add-to name the same file: {to}.", returncode=USAGE)
        with open_output(str(add_to)) if add_to else nullcontext() as file:  # written only if the private key is, too
            if file and add_to:
                keys = [*_known(add_to), public]  # read only now, as no other run writes it meanwhile
                file.write(f"{json.dumps({'keys': keys})}\n".encode())
            if to:
                _write_private(to, f"{json.dumps(private)}\n")
        if to:
            return Result(f"Key {key.kid} of {service} is in {to}.", {"made": 1}, details={"publicKey": public})
        return Result(json.dumps(private), {"made": 1}, details={"publicKey": public, "privateKey": private})


def _known(file: Path) -> list[Any]:
    """Return the keys in the file; raise CommandError if it is not a key set."""
    try:
        text = file.read_text("utf-8") if file.exists() else None
        keys: list[Any] = [] if text is None or not read_key_set(text) else json.loads(text)["keys"]
    except (OSError, ValueError) as error:
        raise CommandError(f"{file} {getattr(error, 'strerror', None) or error}.", returncode=USAGE) from None
    return keys


def _write_private(file: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(text)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.", returncode=USAGE) from None
