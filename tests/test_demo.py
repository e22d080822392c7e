"""`make demo` tells four faults, and every confirmed order is counted in spite of them."""

from __future__ import annotations

from pathlib import Path

from tests.checkout import copy_checkout, link_environment
from tests.processes import free_port
from tests.test_make_run import running, wait_until_nothing_runs


def test_the_demo_tells_its_faults_and_loses_no_order(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "argos")
    link_environment(checkout)
    command = ("make", "demo", "DEMO=--seed 7 --seconds 20")
    with running(checkout, *command, products=free_port(), orders=free_port()) as process:
        output = process.communicate(timeout=280)[0].decode()
        wait_until_nothing_runs(checkout)

    said, report = output.splitlines(), (checkout / "var" / "demo.html").read_text()
    assert process.returncode == 0, output
    faults = [line.partition("fault: ")[2] for line in said if "fault: " in line]
    assert len(faults) == len({line for line in said if "ended: " in line}) == 4
    for fault in faults:
        assert any(line.startswith(f"{fault}: ") for line in said)
        assert f"<title>{fault}</title>" in report
    runbooks = [line.partition("runbook: ")[2] for line in said if "runbook: " in line]
    assert len(runbooks) == 4
    assert all((checkout / runbook).exists() for runbook in runbooks)
    assert any(line.startswith("Orders confirmed ") for line in said)
