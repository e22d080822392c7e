"""`manage.py runserver` starts from any folder on the service's own port."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.processes import ROOT, clean_environment, database, free_port, manage


@pytest.mark.parametrize("project", ["products_project", "orders_project"])
def test_runserver_serves_from_any_folder_on_the_port_of_the_environment(project: str, tmp_path: Path) -> None:
    port = free_port()
    with database(tmp_path, project) as url:
        env = {"DATABASE_URL": url, "PORT": str(port)}
        assert manage(project, "migrate", "--verbosity", "0", env=env).returncode == 0
        process = subprocess.Popen(
            [sys.executable, str(ROOT / project / "manage.py"), "runserver", "--noreload"],
            cwd=tmp_path,
            env=clean_environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            answer = None
            deadline = time.monotonic() + 60
            while answer is None and time.monotonic() < deadline:
                try:
                    answer = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2)
                except requests.ConnectionError:
                    time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)

        assert answer is not None
        assert answer.status_code == 200
        assert process.returncode == 0


@pytest.mark.parametrize(("project", "port"), [("products_project", "3001"), ("orders_project", "3002")])
def test_the_default_port_is_the_services_own(project: str, port: str) -> None:
    asked = "from ops.management.commands.runserver import Command; print(Command.default_port)"

    shown = manage(project, "shell", "--no-imports", "-c", asked, env={})

    assert shown.stdout.strip() == port
