"""Checks of what the service was told: its environment, its secrets, its settings."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import dj_database_url
from django.core.checks import ERROR, CheckMessage

import ops
from ops.config import service_keys
from ops.config.service import Reading, ServiceConfig
from ops.config.sources import likely_typos
from ops.diagnosis.checks import django_findings
from ops.diagnosis.probe import failure, ok, warning

STRONG_KEY = 128  # bits
STRONG_PASSWORD = 64


def sound(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Look for misspelt variables: a faulty one keeps the settings from loading, and `faults` reports it."""
    reading = type(config).read()
    yield from faults(reading)
    typos = likely_typos(type(config).variables(), os.environ)
    for name, meant in typos.items():
        yield warning(f"{name} is not a variable", f"Did you mean {meant}?")
    if advice := service_keys.deprecation(reading.values):
        yield warning("SERVICE_TOKEN is deprecated", advice)
    if not (reading.faults or typos or advice):
        given = sum(origin != "default" for origin in reading.origins.values())
        running = f"{config.service} {config.service_version} on ops {ops.__version__}"
        yield ok(f"{running}, {config.django_env}: {given} variables given")


def faults(reading: Reading[ServiceConfig]) -> Iterator[CheckMessage]:
    """Report each faulty variable."""
    for name, fault in sorted(reading.faults.items()):
        yield failure(f"{name}: {fault}", "Correct it; docs/configuration.md says what it may be.")


def secrets(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Judge the secrets of production by their randomness, and say of development's what production would refuse."""
    if not config.is_production:
        refused = type(config).read(os.environ | {"DJANGO_ENV": "production"}).faults
        names = [name for name in ("SECRET_KEY", "SERVICE_KEY", "DATABASE_URL") if name in refused]
        yield ok(f"development; production would refuse {', '.join(names)}" if names else "fit for production")
        return
    password = str(dj_database_url.parse(config.database_url.get_secret_value()).get("PASSWORD") or "")
    keys = {"SECRET_KEY": config.secret_key.get_secret_value()}
    if config.service_token is not None:
        keys["SERVICE_TOKEN"] = config.service_token.get_secret_value()
    anew = "Make one of each: openssl rand -hex 32"
    found = []
    for name, secret in (keys | {"the password in DATABASE_URL": password}).items():
        least = STRONG_KEY if name in keys else STRONG_PASSWORD
        if secret and (bits := _bits(secret)) < least:
            advice = f"Make one of {least} bits or more: openssl rand -hex 32"
            found.append(warning(f"{name} has no more than {bits} bits", advice))
    found += [failure(f"{name} is also the database's password", anew) for name in keys if keys[name] == password]
    if keys["SECRET_KEY"] == keys.get("SERVICE_TOKEN"):
        found.append(failure("SECRET_KEY is also the SERVICE_TOKEN", anew))
    yield from found or [ok("random enough")]


def django_checks(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Run Django's system checks, in production those for deployment too."""
    advice = "See https://docs.djangoproject.com/en/5.2/ref/checks/; ops.… are in docs/operations/reference.md."
    found = [
        (failure if level >= ERROR else warning)(f"{name}: {_first_sentence(text)}", advice)
        for name, level, text in django_findings(deploy=config.is_production)
    ]
    yield from found or [ok("nothing found" + (", those for deployment included" if config.is_production else ""))]


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0]


def _bits(secret: str) -> int:
    """Return how random a secret of such letters can be at the most."""
    return int(len(secret) * math.log2(max(len(set(secret)), 1)))
