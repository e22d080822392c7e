"""Make sure that a superuser exists; a second call changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.db import transaction


@dataclass(frozen=True)
class Ensured:
    """Tell whether the user was created, and name the changed fields."""

    created: bool
    changed: tuple[str, ...]


@transaction.atomic
def ensure_superuser(*, username: str, email: str | None, password: str, dry_run: bool = False) -> Ensured:
    """Create the superuser, or change what differs; raise ValidationError for a bad name, address or password.

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
        return Ensured(created=True, changed=())
    changed = [name for name, value in wanted.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, wanted[name])
    if not check_password(password, user.password):
        user.password = make_password(password)
        changed.append("password")
    if changed:
        user.save(update_fields=changed)
    transaction.set_rollback(dry_run)
    return Ensured(created=False, changed=tuple(changed))
