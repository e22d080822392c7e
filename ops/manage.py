"""What each service's manage.py calls."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from django.conf import settings
from django.core.management import execute_from_command_line

from ops.config.service import ConfigurationError, ServiceConfig
from ops.settings import lift_request_bounds
from ops.telemetry import logs, tracing

USAGE = 2  # the exit code of a wrong configuration
EXAMINERS = ("check_config", "doctor")  # commands that say what is wrong with an environment


def load_config() -> ServiceConfig:
    """Load the settings and return their configuration; report a faulty environment and exit 2."""
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        sys.exit("DJANGO_SETTINGS_MODULE is not set, such as to products_project.settings.")
    try:
        config: ServiceConfig = settings.CONFIG
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        sys.exit(USAGE)
    return config


def main(argv: list[str], config_class: type[ServiceConfig]) -> None:
    """Run `manage.py`: what examines an environment on any, everything else only on a sound one."""
    command = argv[1] if len(argv) > 1 else "help"
    if command in EXAMINERS and config_class.read().faults:
        module = import_module(f"ops.management.commands.{command}")
        module.Command(config_class).run_from_argv(argv)
        return
    if command != "runserver":  # which serves requests: their logs, their bounds, their application's tracing
        logs.stream_name = "stderr"
        config = load_config()
        lift_request_bounds(settings.DATABASES)
        tracing.start_tracing(config)
    else:
        load_config()
    execute_from_command_line(argv)
