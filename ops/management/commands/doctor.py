from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.management.base import CommandParser

from ops.cli.command import OpsCommand, Result
from ops.config.service import ServiceConfig
from ops.diagnosis import configuration
from ops.diagnosis.probe import LEVELS, Probe, examine
from ops.diagnosis.registry import CONFIGURATION, probes

SOUND = CONFIGURATION[0]
WIDTH = len("telemetry.command_metrics")  # the longest id of all


class Command(OpsCommand):
    """Show the service's whole state on one screen: each line is ok, a warning or a failure, with advice.
    It changes nothing, and works in a broken environment too.

    Examples:
      manage.py doctor
      manage.py doctor --strict --json          in a pipeline, after a deploy

    All checks run together and take at most 5 s. docs/operations/reference.md explains each id.
    A failure exits with 1, with --strict also a warning.
    """

    probes = staticmethod(probes)

    def __init__(self, config_class: type[ServiceConfig] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_class = config_class or type(settings.CONFIG)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--strict", action="store_true", help="exit 1 on a warning too")

    def perform(self, *, as_json: bool, strict: bool, **options: Any) -> Result:
        reading = self.config_class.read()
        found: Iterable[tuple[Probe, CheckMessage]]
        if reading.config is None:
            found = [(SOUND, fault) for fault in configuration.faults(reading)]
            end = " Everything else needs a sound environment."
        else:
            found, end = examine(reading.config, self.probes(reading.config)), ""
        result = Result("", {"ok": 0, "warnings": 0, "failures": 0}, details={"checks": []})
        for probe, message in found:
            level, says = LEVELS[message.level], f"{message.obj}: {message.msg}" if message.obj else message.msg
            result.counts["ok" if level == "ok" else f"{level}s"] += 1
            line = {"id": probe.id, "level": level, "says": says, "advice": message.hint or ""}
            result.details["checks"].append(line)
            if level == "failure" or (strict and level == "warning"):
                result.problems.append(f"{probe.id}: {says}")
            if not as_json:
                self._show(**line)
        counted = ", ".join(
            f"{count} {what.removesuffix('s') if count == 1 else what}" for what, count in result.counts.items()
        )
        result.sentence = f"{self.config_class.service}: {counted}.{end}"
        return result

    def _show(self, *, id: str, level: str, says: str, advice: str) -> None:  # noqa: A002 - as --json names it
        style = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "failure": self.style.ERROR}[level]
        self.stdout.write(f"{style(f'{level:7}')}  {id:{WIDTH}}  {says}")
        if advice:
            self.stdout.write(f"{'':{WIDTH + 11}}{advice}")
