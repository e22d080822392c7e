"""`make demo` tells four faults with the alerts that they fire, and counts every confirmed order in spite of them."""

from __future__ import annotations

import re
from pathlib import Path

from demo.alerts import MISSING, missing
from demo.faults import timetable
from tests.checkout import copy_checkout, link_environment
from tests.processes import free_port
from tests.test_make_run import running, wait_until_nothing_runs

SECONDS = 20


def test_the_demo_tells_its_faults_and_loses_no_order(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "argos")
    link_environment(checkout)
    command = ("make", "demo", f"DEMO=--seed 7 --seconds {SECONDS}")
    with running(checkout, *command, products=free_port(), orders=free_port()) as process:
        output = process.communicate(timeout=280)[0].decode()
        wait_until_nothing_runs(checkout)

    said, report = output.splitlines(), (checkout / "var" / "demo.html").read_text()
    assert process.returncode == 0, output
    happened = [line.partition(" s  ")[2] for line in said]
    faults = [words.removeprefix("fault: ") for words in happened if words.startswith("fault: ")]
    assert faults == [fault.name for fault in timetable()]
    for fault in faults:
        assert f"ended: {fault}" in happened
        assert any(line.startswith(f"{fault}: ") for line in said)
        assert report.count(f"<title>{fault}</title>") >= 2
    runbooks = re.findall(r"runbook: (\S+)", output)
    assert runbooks
    assert all((checkout / runbook).exists() for runbook in runbooks)
    assert all(f'<a href="../{runbook}">' in report for runbook in runbooks)
    assert any(line.startswith("Orders confirmed ") for line in said)
    if missing():  # as on a machine without them, where the story says so
        assert MISSING in said
        return
    alerts = {words.removeprefix("alert: ") for words in happened if words.startswith("alert: ")}
    assert alerts
    assert any(f"resolved: {alert}" in happened for alert in alerts)
    assert all(f"<title>{alert}, from " in report for alert in alerts), output


def test_a_fault_breaks_as_often_as_it_says_and_is_mended_at_its_end() -> None:
    for fault in timetable():
        acts = fault.acts(100)

        assert [at for at, _, _ in acts] == sorted(at for at, _, _ in acts)
        assert [act for _, _, act in acts] == [fault.breaks] * fault.times + [fault.mends]
        assert (acts[0][0], acts[-1][0]) == (fault.begins * 100, fault.ends * 100)
