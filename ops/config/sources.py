"""The sources of variables, and suggestions for misspelt ones."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from ops.config import env_file

Origin = Literal["environment", ".env", "file", "default"]


class EnvironmentSource(PydanticBaseSettingsSource):
    """Read each variable X from the environment, or from the file that X_FILE names.

    An empty variable counts as unset, as compose files pass `X=${X:-}`.
    """

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str] | None = None) -> None:
        super().__init__(settings_cls)
        self.environ = os.environ if environ is None else environ
        self.from_env_file = env_file.taken if environ is None else frozenset()
        self.faults: dict[str, str] = {}
        self.origins: dict[str, Origin] = {}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = field_name.upper()
        value, path = self.environ.get(variable) or None, self.environ.get(f"{variable}_FILE") or None
        given: Origin = ".env" if variable in self.from_env_file else "environment"
        self.origins[variable] = "file" if path else given if value is not None else "default"
        if value is not None and path:
            self.faults[variable] = f"is set twice: by {variable} and by {variable}_FILE"
        elif path:
            try:
                value = Path(path).read_text(encoding="utf-8").rstrip("\r\n") or None
            except (OSError, UnicodeDecodeError) as error:
                self.faults[variable] = (
                    f"{variable}_FILE={path} cannot be read: {getattr(error, 'strerror', None) or 'is not UTF-8'}"
                )
            else:
                if value is None:
                    self.faults[variable] = f"{variable}_FILE={path} is empty"
        return value, field_name, False

    def has(self, variable: str) -> bool:
        return bool(self.environ.get(variable) or self.environ.get(f"{variable}_FILE"))

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def likely_typos(known: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Map each name in the environment that looks like a misspelt variable to that variable.

    Only a difference of case, of separators or of one letter counts, as an environment has many foreign names.
    """
    squeezed = {name.replace("_", ""): name for name in [*known, *(f"{name}_FILE" for name in known)]}
    typos = {}
    for name in sorted(set(environ) - set(squeezed.values())):
        bare = name.upper().replace("_", "").replace("-", "")
        match = squeezed.get(bare) or next((squeezed[word] for word in squeezed if _is_one_slip(bare, word)), None)
        if match:
            typos[name] = match
    return typos


def _is_one_slip(written: str, meant: str) -> bool:
    """Return whether the names differ by one missing, added, changed or swapped letter; short names never match."""
    if min(len(written), len(meant)) < 7 or abs(len(written) - len(meant)) > 1:
        return False
    pairs = zip(written, meant, strict=False)
    start = next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(written), len(meant)))
    left, right = written[start:], meant[start:]
    return (
        left[1:] == right
        or left == right[1:]
        or left[1:] == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
    )
