"""The requests of the clients and their answers; the tests compare both databases with it.

Each line is a JSON object, written and fsynced before a request is sent and after it has ended in any way.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Attempt:
    """The outcome of one request; status 0 without an answer."""

    status: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass
class Intent:
    """One intended order with its key and its attempts."""

    key: str
    product_id: int
    quantity: int
    attempts: list[Attempt] = field(default_factory=list)
    sent: int = 0

    @property
    def acknowledged(self) -> set[int]:
        """Return the ids of the orders in the answers; more than one breaks a promise."""
        return {int(attempt.body["id"]) for attempt in self.attempts if attempt.status == 201}

    @property
    def is_settled(self) -> bool:
        """Return whether the last attempt had a final answer."""
        return len(self.attempts) == self.sent and bool(self.attempts) and is_final(self.attempts[-1])


def is_final(attempt: Attempt) -> bool:
    """Return whether the client is done: it got an order, or a permanent refusal."""
    if attempt.status in (0, 408, 429) or attempt.status >= 500:
        return False
    return attempt.body.get("code") != "request_in_progress"


class Ledger:
    """A file that several threads write to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def sent(self, *, key: str, product_id: int, quantity: int) -> None:
        self._write({"sent": key, "product_id": product_id, "quantity": quantity})

    def ended(self, key: str, attempt: Attempt) -> None:
        self._write({"ended": key, "status": attempt.status, "body": attempt.body, "error": attempt.error})

    def close(self) -> None:
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def intents(self) -> dict[str, Intent]:
        """Read the file."""
        found: dict[str, Intent] = {}
        for text in self.path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "sent" in line:
                intent = found.setdefault(line["sent"], Intent(line["sent"], line["product_id"], line["quantity"]))
                intent.sent += 1
            else:
                found[line["ended"]].attempts.append(Attempt(line["status"], line["body"], line["error"]))
        return found
