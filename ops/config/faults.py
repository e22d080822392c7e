"""The faults of an environment, all of them at once, each under its variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError


class ConfigurationError(ImproperlyConfigured):
    """All faults of an environment; `faults` maps a variable's name to its fault."""

    def __init__(self, service: str, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        lines = "\n".join(f"  {name}: {fault}" for name, fault in sorted(self.faults.items()))
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{service}: the environment has {count}:\n{lines}")


def faults_of(error: ValidationError, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the fault of each variable, without quoting a value that may be secret."""
    faults = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        if item["type"] == "default_factory_not_called":  # a default that depends on a faulty variable is not a fault
            continue
        field = str(item["loc"][0])
        message = (
            item["msg"].removeprefix("Value error, ").replace("Input should be", "must be").partition(", unable")[0]
        )
        faults[field.upper()] = message if field in values or item["type"] != "missing" else "is required"
    return faults
