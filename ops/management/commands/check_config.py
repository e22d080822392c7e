from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.checks import INFO
from django.core.management.base import CommandParser

from ops.cli.command import USAGE, OpsCommand, Result
from ops.cli.output import aligned
from ops.config import service_keys
from ops.config.faults import ConfigurationError
from ops.config.report import OK, Variable, describe
from ops.config.service import ServiceConfig
from ops.config.sources import likely_typos
from ops.diagnosis.checks import django_findings
from ops.diagnosis.probe import Probe, examine
from ops.diagnosis.registry import probes
from ops.diagnosis.surroundings import ANSWERS
from ops.telemetry import FAULTS

CONNECT_DEADLINE = Probe.deadline.total_seconds()  # for all backing services together


class Command(OpsCommand):
    """Print every variable with its value (secrets masked), its origin and its fault.
    It works in a faulty environment, as doctor does; every other command refuses to start.

    Examples:
      manage.py check_config
      manage.py check_config --changed          without the defaults
      manage.py check_config --connect          check the backing services
      manage.py check_config --deploy --json    before a release, in a pipeline

    A faulty variable exits with 2; a silent backing service or a failed deployment check with 1. Likely typos
    are reported and do not change the exit code, as the environment also has other programs' variables.
    """

    def __init__(self, config_class: type[ServiceConfig] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config_class = config_class or type(settings.CONFIG)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--changed",
            action="store_true",
            help="only what is set or faulty; a faulty environment is always printed so, except with --json",
        )
        parser.add_argument(
            "--connect",
            action="store_true",
            help=f"also check the backing services, all together, within {CONNECT_DEADLINE:g} s",
        )
        parser.add_argument(
            "--deploy", action="store_true", help="also run Django's checks, including those for deployment"
        )

    def perform(self, *, as_json: bool, changed: bool, connect: bool, deploy: bool, **options: Any) -> Result:
        reading = self.config_class.read()
        variables = describe(self.config_class, reading)
        notable = [one for one in variables if one.origin != "default" or one.verdict != OK]
        typos = likely_typos(self.config_class.variables(), os.environ)
        advice = service_keys.deprecation(reading.values)
        result = Result("", details={"typos": typos, "deprecated": {"SERVICE_TOKEN": advice} if advice else {}})
        result.details["variables"] = [vars(variable) for variable in (notable if changed else variables)]
        if not as_json:
            shown = notable if changed or reading.faults else variables
            for line in aligned([(one.name, one.value, one.origin, one.verdict) for one in shown], "<<<<"):
                self.stdout.write(line)
        if reading.config is None:
            result.sentence = str(ConfigurationError(self.config_class.service, reading.faults))
            result.problems = [f"{name}: {fault}" for name, fault in sorted(reading.faults.items())]
            result.code = USAGE
            if connect or deploy:
                result.sentence += "\nNothing else was tried: --connect and --deploy need a sound environment."
        else:
            if FAULTS:
                self._add(result, "telemetry", dict(FAULTS), as_json)
            if connect:
                self._add(result, "connections", _connections(reading.config), as_json)
            if deploy:
                self._add(result, "checks", _deployment_checks(), as_json)
            result.sentence = _sentence(self.config_class.service, variables, result.problems)
        if not as_json:
            self._warn(typos, advice)
        result.counts = {"variables": len(variables), "faults": len(reading.faults), "typos": len(typos)}
        return result

    def _warn(self, typos: dict[str, str], advice: str | None) -> None:
        for name, meant in typos.items():
            self.stderr.write(f"{name} is not a variable of {self.config_class.service}: did you mean {meant}?")
        if advice:
            self.stderr.write(f"SERVICE_TOKEN is deprecated. {advice}")

    def _add(self, result: Result, section: str, found: dict[str, str], as_json: bool) -> None:
        result.details[section] = found
        result.problems += [f"{name}: {verdict}" for name, verdict in found.items() if verdict not in (ANSWERS, OK)]
        if not as_json:
            self.stdout.write(f"\n{section}:")
            for name, verdict in found.items():
                self.stdout.write(f"  {name}: {verdict}")


def _sentence(service: str, variables: list[Variable], problems: list[str]) -> str:
    if problems:
        count = "is 1 problem" if len(problems) == 1 else f"are {len(problems)} problems"
        return f"{service}: the environment is sound, but there {count}:\n" + "\n".join(f"  {p}" for p in problems)
    given = sum(variable.origin != "default" for variable in variables)
    return f"The environment of {service} is sound: {len(variables)} variables, {given} of them given."


def _connections(config: ServiceConfig) -> dict[str, str]:
    """Map each variable that names a backing service to `answers`, or in one line why it does not."""
    named = [probe for probe in probes(config) if probe.variable]
    return {
        probe.variable: ANSWERS if message.level <= INFO else message.msg for probe, message in examine(config, named)
    }


def _deployment_checks() -> dict[str, str]:
    """Map the id of each check that found something to what it found."""
    found: dict[str, str] = {}
    for name, _, text in django_findings(deploy=True):
        found[name] = f"{found[name]}; {text}" if name in found else text
    return found or {"all": OK}
