"""The loops of production as processes: a test may stop one, and start it again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.processes import ROOT, Service, clean_environment, free_port


@dataclass
class Loop:
    """One `manage.py` command that runs until a signal."""

    service: Service
    command: str
    process: subprocess.Popen[bytes] | None = None
    port: int = field(default_factory=free_port)  # of its /metrics

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.service.directory / f"{self.command}.log"

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / self.service.project / "manage.py"), self.command],
                env=clean_environment(self.service.env | {"WORKER_METRICS_PORT": str(self.port)}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> None:
        """Stop it as a deploy does; it finishes its current work."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.process = None
