"""What a service keeps as its own issuer: its clients, and the keys that sign their tokens."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Client(models.Model):
    """A client that may be given access tokens; its name is their `sub`."""

    name = models.CharField(max_length=100, unique=True)
    scopes = models.TextField(db_default="")  # separated by spaces, sorted
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class SigningKey(models.Model):
    """A key pair. Its private half is encrypted under SECRET_KEY, so a copy of the database signs nothing."""

    key_id = models.CharField(max_length=100, unique=True)
    public = models.TextField()  # a JSON Web Key
    sealed = models.TextField()  # the private half, as a compact JWE
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.key_id
