"""A command whose standard streams are closed, full or in ASCII does its work and ends with the code of that work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orders_database import execute
from tests.processes import ROOT, clean_environment, database, prepared_database

MANAGE = f"{sys.executable} {ROOT}/orders_project/manage.py"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database(tmp_path_factory.mktemp("streams"), "orders", like=prepared_database("orders_project")) as url:
        execute(url, "INSERT INTO orders_order (product_id, product_name, quantity) VALUES (1, 'Größe █', 2)")
        yield url


def shell(line: str, url: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which `manage` is orders' manage.py."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; manage() {{ {MANAGE} "$@"; }}; {line}'],
        env=clean_environment({"DATABASE_URL": url, "TMPDIR": str(folder), **env}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "line",
    [
        "manage recover_orders --once 2>/dev/full",
        "manage purge_idempotency_keys >&-",
        "manage purge_idempotency_keys <&- >&- 2>&-",
        "manage purge_idempotency_keys 2>&-",
        "manage list_events 2>/dev/full",
        "manage order_report >&-",
    ],
)
def test_the_work_decides_the_exit_code(line: str, url: str, tmp_path: Path) -> None:
    done = shell(line, url, tmp_path)

    assert (done.returncode, [text for text in done.stderr.splitlines() if "Error" in text]) == (0, [])


def test_rows_that_cannot_be_written_are_a_failure_in_one_line(url: str, tmp_path: Path) -> None:
    for line in ("manage export_orders >&-", "manage export_orders >/dev/full", "manage backup --to - >&-"):
        done = shell(line, url, tmp_path, LOG_FORMAT="json")

        said = [text for text in done.stderr.splitlines() if not text.startswith("{")]
        assert (done.returncode, len(said)) == (1, 1), (line, done.stderr)
        assert said[0].lower().startswith("standard output: ")


def test_a_reader_that_has_seen_enough_gets_no_complaint(url: str, tmp_path: Path) -> None:
    done = shell(
        "manage export_orders --format jsonl | true; manage order_report | true", url, tmp_path, LOG_FORMAT="json"
    )

    assert [line for line in done.stderr.splitlines() if not line.startswith("{")] == []


def test_a_plot_in_ascii_has_bars_and_escapes(url: str, tmp_path: Path) -> None:
    done = shell("manage order_report --by product --plot", url, tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert done.returncode == 0, done.stderr
    assert f"Gr\\xf6\\xdfe \\u2588       1         2  {'#' * 30}\n" in done.stdout
