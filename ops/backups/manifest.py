"""The description that a backup carries; its seal shows any change to it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

FORMAT = 1  # a reader refuses unknown formats
WHEN = "%Y%m%dT%H%M%SZ"
FILE_NAME = re.compile(r"[a-z0-9-]+_[A-Za-z0-9._+-]+_[\w.+]+_\d{8}T\d{6}Z\.backup", re.ASCII)


class Refused(CommandError):
    """A backup cannot be made, restored or read; the text says why in one sentence."""


@dataclass(frozen=True)
class Table:
    """The rows of a table: their number and a digest."""

    rows: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """Describe a dump: its service, its time, its schema and its checksum."""

    service: str
    version: str
    created: str  # ISO 8601, UTC, whole seconds
    vendor: str
    server: str
    state: str  # the last migration of each of the service's own apps, such as orders.0001
    migrations: tuple[str, ...]
    tables: Mapping[str, Table]
    size: int = 10**15 - 1  # bytes of the dump; the widest value until the dump is written
    sha256: str = "0" * 64
    extensions: tuple[str, ...] = ()  # of PostgreSQL, which the database needs

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.created).astimezone(UTC)

    @property
    def file_name(self) -> str:
        return f"{self.service}_{self.version}_{self.state}_{self.moment.strftime(WHEN)}.backup"

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    def to_json(self) -> bytes:
        """Return the manifest with its seal; equal manifests give equal bytes."""
        content = {"format": FORMAT, **asdict(self)}
        if not self.extensions:  # an older release can then read it
            del content["extensions"]
        return _render(content | {"seal": _seal(content)})

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Return the manifest; raise ValueError for anything else, such as a broken seal."""
        content: Any = json.loads(text)
        if not isinstance(content, dict) or content.pop("seal", None) != _seal(content):
            raise ValueError("its manifest does not fit its seal")
        if content.pop("format") != FORMAT:
            raise ValueError("this release does not know its format")
        tables = {name: Table(**table) for name, table in content.pop("tables").items()}
        migrations, extensions = (tuple(content.pop(name, ())) for name in ("migrations", "extensions"))
        return cls(migrations=migrations, tables=tables, extensions=extensions, **content)


def _render(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode()


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_render(content)).hexdigest()
