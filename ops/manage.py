"""The entry point of each service's manage.py."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from importlib import import_module

from django.conf import settings
from django.core.management import execute_from_command_line

from ops.cli import standard_streams
from ops.config import role
from ops.config.env_file import read_env_file
from ops.config.faults import ConfigurationError
from ops.config.role import Role
from ops.config.service import ServiceConfig
from ops.telemetry import tracing

USAGE = 2  # the exit code of a wrong configuration
EXAMINERS = ("check_config", "doctor")  # commands that examine an environment


def load_config() -> ServiceConfig:
    """Load the settings and return their configuration; if the environment is faulty, report it and exit with 2."""
    read_env_file()
    module = os.environ.get("DJANGO_SETTINGS_MODULE")
    if not module:
        sys.exit("DJANGO_SETTINGS_MODULE is not set, such as to products_project.settings.")
    try:
        config: ServiceConfig = settings.CONFIG
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        sys.exit(USAGE)
    except (ModuleNotFoundError, AttributeError) as error:
        print(f"The settings of DJANGO_SETTINGS_MODULE={module} cannot be used: {error}.", file=sys.stderr)
        sys.exit(USAGE)
    return config


def main(argv: list[str], config_class: type[ServiceConfig], *, workers: Collection[str] = ()) -> None:
    """Run `manage.py`; `workers` names the commands that run until a signal.

    A command that examines the environment always runs. Every other command needs a valid environment.
    """
    standard_streams.protect()
    command = argv[1] if len(argv) > 1 else "help"
    role.decide(_role_of(command, workers))
    try:
        _run(command, argv, config_class)
    finally:
        standard_streams.settle()


def _run(command: str, argv: list[str], config_class: type[ServiceConfig]) -> None:
    if command in EXAMINERS and config_class.read().faults:
        module = import_module(f"ops.management.commands.{command}")
        module.Command(config_class).run_from_argv(argv)
        return
    config = load_config()
    if command != "runserver":  # its application starts tracing
        tracing.start_tracing(config)
    execute_from_command_line(argv)


def _role_of(command: str, workers: Collection[str]) -> Role:
    if command == "runserver":
        return Role.WEB
    return Role.WORKER if command in workers else Role.COMMAND
