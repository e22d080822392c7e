"""Every probe, once: `doctor`, `check_config --connect`, `wait_for` and `/readyz` ask them.

The ids are stable, and docs/operations/reference.md explains each.
"""

from __future__ import annotations

from ops.config.service import ServiceConfig
from ops.diagnosis import configuration, database, machine, surroundings
from ops.diagnosis.probe import Probe

REACHABLE = Probe(
    "database.reachable", database.reachable, "Start the database, or correct DATABASE_URL.", variable="DATABASE_URL"
)
MIGRATED = Probe("database.migrated", database.migrated, "Run manage.py migrate --plan.", REACHABLE.id)
CONFIGURATION = (
    Probe("configuration.sound", configuration.sound, "Run manage.py check_config."),
    Probe("secrets.strong", configuration.secrets, "Run manage.py check_config."),
    Probe("django.checks", configuration.django_checks, "Run manage.py check --deploy."),
    Probe("static.collected", machine.static_files, "Run manage.py collectstatic."),
)
DATABASE = (
    REACHABLE,
    MIGRATED,
    Probe("database.sessions", database.sessions, "Ask the database yourself.", REACHABLE.id),
    Probe("database.clock", database.clock, "Ask the database yourself.", REACHABLE.id),
    Probe("database.connections", database.free_connections, "Ask the database yourself.", REACHABLE.id),
)
DISKS = (
    Probe("disk.database", machine.database_disk, "Look at the disk of DATABASE_URL's file."),
    Probe("disk.temporary", machine.temporary_disk, "Make TMPDIR a folder that can be written."),
)
COMMAND_METRICS = Probe(
    "telemetry.command_metrics", machine.command_metrics, "Make COMMAND_METRICS_DIR a folder of this user's."
)


def probes(config: ServiceConfig) -> tuple[Probe, ...]:
    """Return every probe of this service, in the order that doctor shows."""
    around = (*surroundings.peers(config), *surroundings.declared(config), *surroundings.telemetry(config))
    return (*CONFIGURATION, *DATABASE, *DISKS, *around, COMMAND_METRICS)
