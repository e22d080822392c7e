"""The twelve factors, each with its evidence from this process and its environment (https://12factor.net)."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from django.conf import settings
from django.core.checks import INFO, CheckMessage
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import connections

from ops.cli.command import OpsCommand
from ops.cli.loop import LoopCommand
from ops.config.report import describe
from ops.config.service import ROOT, ServiceConfig
from ops.diagnosis import configuration
from ops.diagnosis.probe import Probe, examine, failure, ok, warning
from ops.diagnosis.registry import REACHABLE, probes
from ops.diagnosis.surroundings import url_probe

PINNED = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)( ;)?")
DATABASE_SESSIONS = "django.contrib.sessions.backends.db"
LOG_HANDLERS = {"ops.telemetry.log_stream.Handler", "logging.NullHandler"}
RELEASE = ("static.collected", "database.reachable", "database.migrated")  # the work of build and release
DEADLINE = timedelta(seconds=4)  # of the probes within a factor, which has a second more
NOT_RUNNING = "Start it with python -m ops.server, or run this command beside it: docker compose exec."


def factors(config: ServiceConfig) -> tuple[Probe, ...]:
    """Return a probe of each factor, in their order."""
    seek = "docs/operations/reference.md says what it looks at."
    return (
        Probe("I.codebase", codebase, seek),
        Probe("II.dependencies", dependencies, seek),
        Probe("III.config", config_in_environment, seek),
        Probe("IV.backing_services", backing_services, seek),
        Probe("V.build_release_run", build_release_run, seek),
        Probe("VI.processes", stateless_processes, seek),
        url_probe(
            "VII.port_binding",
            f"http://127.0.0.1:{config.port}/healthz",
            variable="PORT",
            hint=NOT_RUNNING,
            is_optional=True,
        ),
        Probe("VIII.concurrency", concurrency, seek),
        Probe("IX.disposability", disposability, seek),
        Probe("X.dev_prod_parity", parity, seek),
        Probe("XI.logs", logs, seek),
        Probe("XII.admin_processes", admin_processes, seek),
    )


def codebase(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Name the revision that runs."""
    if config.is_production and config.service_version == type(config).model_fields["service_version"].default:
        yield failure("SERVICE_VERSION is unset: nothing says which revision runs", "Set it when you build the image.")
    else:
        yield ok(f"{config.service} {config.service_version}, {config.django_env}")


def dependencies(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Compare each locked requirement of the service with what is installed."""
    yield from compared(ROOT / "requirements" / f"{config.service.removesuffix('-service')}.txt")


def compared(lock: Path) -> Iterator[CheckMessage]:
    """Say which requirements of the file are not installed as it names them."""
    blocks = [block for block in re.split(r"\n(?![ \n])", lock.read_text(encoding="utf-8")) if PINNED.match(block)]
    advice = f"Install {lock.name} with pip's --require-hashes."
    unhashed = 0
    for block in blocks:
        name, version, marker = PINNED.findall(block)[0]
        unhashed += "--hash=sha256:" not in block
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = version if marker else "missing"  # it may be for another platform
        if installed != version:
            yield failure(f"{name} is {installed}, not {version}", advice)
    if unhashed or not blocks:
        yield failure(f"{unhashed} of {len(blocks)} requirements of {lock.name} have no hash", "Run make lock.")
    yield ok(f"{len(blocks)} requirements of {lock.name}, with hashes")


def config_in_environment(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Count the variables by their origin."""
    yield from (message for message in configuration.sound(config) if message.level > INFO)
    origins = [variable.origin for variable in describe(type(config), type(config).read())]
    counts = ", ".join(f"{origins.count(origin)} by {origin}" for origin in sorted(set(origins)))
    yield ok(f"{len(origins)} variables: {counts}")


def backing_services(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Ask each backing service at the URL of its variable."""
    named = [probe for probe in probes(config) if probe.variable]
    for _, message in examine(config, named, deadline=DEADLINE):
        message.msg = f"{message.obj}: {message.msg}"
        yield message


def build_release_run(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Look for the files and migrations of the release, and for code that a run could change."""
    made = [probe for probe in probes(config) if probe.id in RELEASE]
    yield from (message for probe, message in examine(config, made, deadline=DEADLINE) if probe is not REACHABLE)
    if not os.access(ROOT / "ops", os.W_OK):
        yield ok(f"the code in {ROOT} is read-only for this user")
    elif config.is_production:
        yield warning(f"this user can change the code in {ROOT}", "Run as a user that cannot, as the image does.")


def stateless_processes(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Say where state is."""
    if settings.SESSION_ENGINE != DATABASE_SESSIONS:
        yield failure(f"sessions are in {settings.SESSION_ENGINE}", f"Set SESSION_ENGINE to {DATABASE_SESSIONS}.")
    elif connections["default"].vendor == "sqlite" and config.is_production:
        yield warning("all state is in a file of this machine", "Set DATABASE_URL to a server, for more than one.")
    else:
        yield ok("sessions and all other state are in the database")


def concurrency(config: ServiceConfig) -> Iterator[CheckMessage]:
    """List the process types; each scales by replicas unless it allows one run at a time."""
    loops = {name: command for name, command in own_commands().items() if isinstance(command, LoopCommand)}
    for name in (name for name, command in loops.items() if command.exclusive):
        yield failure(f"{name} allows one run at a time", "Let several runs share the work.")
    yield ok(f"web: {config.web_concurrency} x {config.web_threads} threads; loops: {', '.join(sorted(loops))}")


def disposability(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Say what a start costs, and that SIGTERM is heard."""
    if not callable(signal.getsignal(signal.SIGTERM)):
        yield failure("SIGTERM ends this process amid its work", "Take the signal, as ops.cli.command does.")
    started = f"settings and apps loaded in {time.process_time():.1f} s of processor time"
    yield ok(f"{started}; SIGTERM is heard, then /readyz is 503 for {config.shutdown_delay:g} s")


def parity(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Compare the database's engine with production's."""
    if (vendor := connections["default"].vendor) == "postgresql":
        yield ok("PostgreSQL, here as in production")
    else:
        yield warning(f"{vendor} here, PostgreSQL in production", "Set DATABASE_URL; the tests run on both.")


def logs(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Look for a handler that keeps or sends log lines itself."""
    others = {str(handler["class"]) for handler in settings.LOGGING["handlers"].values()} - LOG_HANDLERS
    for name in sorted(others):
        yield failure(f"{name} does not write to a standard stream", "Remove it from LOGGING.")
    if config.is_production and config.log_format != "json":
        yield warning("LOG_FORMAT is for people; programs read json", "Unset LOG_FORMAT.")
    yield ok(f"{config.log_format} on the standard streams alone, from level {config.log_level} on")


def admin_processes(config: ServiceConfig) -> Iterator[CheckMessage]:
    """Count the one-off commands of this release, and look for one without their base."""
    commands = own_commands()
    for name, command in commands.items():
        if not isinstance(command, OpsCommand) and name != "runserver":
            yield failure(f"{name} has no exit codes, --json and metrics", "Derive it from ops.cli.command.OpsCommand.")
    yield ok(f"{len(commands)} commands of this release, with its code and its variables")


def own_commands() -> dict[str, BaseCommand]:
    """Return the commands of the packages in this repository."""
    apps = {name: str(app) for name, app in get_commands().items()}
    return {name: load_command_class(app, name) for name, app in apps.items() if (ROOT / app.split(".")[0]).is_dir()}
