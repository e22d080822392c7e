from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from ops.cli.command import OpsCommand, Result
from ops.config.service import ServiceConfig
from ops.diagnosis.doctor import configuration
from ops.diagnosis.doctor.findings import Finding
from ops.diagnosis.doctor.registry import CHECKS, examine

WIDTH = max(len(check.id) for check in CHECKS)


class Command(OpsCommand):
    help = (
        "Show the service's whole state on one screen: each line is ok, a warning or a failure, with what to do.\n"
        "Changes nothing. Works on a broken environment too: what does not answer is a line."
    )
    examples = (
        "  manage.py doctor\n"
        "  manage.py doctor --strict --json          in a pipeline, after a deploy\n\n"
        f"All checks run at once and take {max(check.deadline for check in CHECKS):g} s at the most. "
        "Each id is explained in docs/operations/reference.md.\n"
        "A failure ends with 1, with --strict also a warning."
    )

    def __init__(self, config_class: type[ServiceConfig] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_class = config_class or type(settings.CONFIG)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--strict", action="store_true", help="exit 1 on a warning too")

    def perform(self, *, as_json: bool, strict: bool, **options: Any) -> Result:
        reading = self.config_class.read()
        found: Iterable[tuple[str, Finding]]
        if reading.config is None:
            found = [(CHECKS[0].id, fault) for fault in configuration.faults(reading)]
            end = " Everything else needs a sound environment."
        else:
            found, end = examine(reading.config), ""
        result = Result("", {"ok": 0, "warnings": 0, "failures": 0}, details={"checks": []})
        for check, finding in found:
            result.counts["ok" if finding.level == "ok" else f"{finding.level}s"] += 1
            result.details["checks"].append({"id": check, **vars(finding)})
            if finding.level == "failure" or (strict and finding.level == "warning"):
                result.problems.append(f"{check}: {finding.says}")
            if not as_json:
                self._show(check, finding)
        counted = ", ".join(
            f"{count} {what.removesuffix('s') if count == 1 else what}" for what, count in result.counts.items()
        )
        result.sentence = f"{self.config_class.service}: {counted}.{end}"
        return result

    def _show(self, check: str, finding: Finding) -> None:
        style = {"ok": self.style.SUCCESS, "warning": self.style.WARNING, "failure": self.style.ERROR}[finding.level]
        self.stdout.write(f"{style(f'{finding.level:7}')}  {check:{WIDTH}}  {finding.says}")
        if finding.advice:
            self.stdout.write(f"{'':{WIDTH + 11}}{finding.advice}")
