"""The nights of both services, with the commands of the compose file, on real databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.containers import compose
from tests.processes import manage, prepared_database

SERVICES = compose("docker-compose.yml")["services"]


def lines_of(name: str, folder: Path) -> list[str]:
    """Return the nightly commands of a service, with a folder in place of the volume."""
    words = SERVICES[name]["command"]
    lines = [word for word in words[words.index("run_nightly") + 1 :] if not word.startswith("--")]
    return [line.replace("/backups", str(folder)) for line in lines]


@pytest.mark.parametrize("service", ["products", "orders"])
def test_a_night_leaves_a_backup_that_restores_and_metrics_of_each_command(service: str, tmp_path: Path) -> None:
    project, backups, metrics = f"{service}_project", tmp_path / "backups", tmp_path / "metrics"
    backups.mkdir()
    metrics.mkdir()
    env = {"DATABASE_URL": prepared_database(project), "COMMAND_METRICS_DIR": str(metrics), "TMPDIR": str(tmp_path)}
    lines = lines_of(f"{service}-nightly", backups)

    night = manage(project, "run_nightly", "--once", "--json", *lines, env=env)
    (backup,) = backups.iterdir()
    restored = manage(project, "restore", str(backup), "--dry-run", env=env)

    assert night.returncode == 0, night.stderr
    assert json.loads(night.stdout.splitlines()[-1])["counts"] == {"done": len(lines), "failed": 0}
    assert restored.returncode == 0, restored.stderr
    wrote = {path.stem.removeprefix(f"{service}-service-").partition("-")[0] for path in metrics.iterdir()}
    assert wrote >= {line.split()[0] for line in lines} | {"run_nightly"}
