"""Every check of `doctor`, in the order shown; its id is stable and documented in docs/operations/reference.md."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ops.config.service import ServiceConfig
from ops.diagnosis.at_once import at_once
from ops.diagnosis.backing_services import reason
from ops.diagnosis.doctor import configuration, database, machine, surroundings
from ops.diagnosis.doctor.findings import Check, Finding, failure, warning

DATABASE, PEER = "database.reachable", "peer.healthy"

CHECKS = (
    Check("configuration.sound", configuration.sound, "Run manage.py check_config."),
    Check("secrets.strong", configuration.secrets, "Run manage.py check_config."),
    Check("django.checks", configuration.django_checks, "Run manage.py check --deploy."),
    Check("static.collected", machine.static_files, "Run manage.py collectstatic."),
    Check(DATABASE, database.reachable, "Start the database, or correct DATABASE_URL."),
    Check("database.migrated", database.migrated, "Run manage.py migrate --plan.", rests_on=DATABASE),
    Check("database.clock", database.clock, "Ask the database yourself.", rests_on=DATABASE),
    Check("database.connections", database.free_connections, "Ask the database yourself.", rests_on=DATABASE),
    Check("disk.database", machine.database_disk, "Look at the disk of DATABASE_URL's file."),
    Check("disk.temporary", machine.temporary_disk, "Make TMPDIR a folder that can be written."),
    Check(PEER, surroundings.peers_healthy, "Look at the peer."),
    Check("peer.contract", surroundings.peers_contract, "Look at the peer's /openapi.json.", rests_on=PEER),
    Check("events.reachable", surroundings.events, "Look at the broker."),
    Check("telemetry.reachable", surroundings.telemetry, "Look at the collector."),
    Check("telemetry.command_metrics", machine.command_metrics, "Make COMMAND_METRICS_DIR a folder of this user's."),
)


def examine(config: ServiceConfig, checks: tuple[Check, ...] = CHECKS) -> Iterator[tuple[str, Finding]]:
    """Run all checks at once; yield each check's id with what it found, in the checks' order."""
    found = at_once({check.id: (partial(_findings, check, config), check.deadline) for check in checks})
    failed = set()
    for check in checks:
        answer = found[check.id]
        if isinstance(answer, Exception) and check.rests_on in failed:
            answer = [warning("not known", f"See {check.rests_on}.")]
        elif isinstance(answer, Exception):
            answer = [failure(reason(answer), check.advice)]
        for finding in answer:
            if finding.level == "failure":
                failed.add(check.id)
            yield check.id, finding


def _findings(check: Check, config: ServiceConfig) -> list[Finding]:
    return list(check.examine(config))
