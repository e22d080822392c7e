"""wait_for returns when everything answers; otherwise it reports the last answer."""

from __future__ import annotations

import os
import signal
import threading
import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from ops.tests.peers import answering, refused, silent

pytestmark = pytest.mark.django_db(transaction=True)


def wait_for(*arguments: str) -> tuple[object, str, str]:
    """Return the exit code, standard output and standard error."""
    output, errors = StringIO(), StringIO()
    try:
        call_command("wait_for", *arguments, stdout=output, stderr=errors)
    except SystemExit as ended:
        return ended.code, output.getvalue(), errors.getvalue()
    return 0, output.getvalue(), errors.getvalue()


def test_with_nothing_named_it_waits_for_the_database() -> None:
    assert wait_for() == (0, "Ready: database.\n", "Waiting for database ...\n")


def test_it_asks_again_until_the_answer_is_below_400() -> None:
    with answering(503, 404, 200) as (url, asked):
        code, output, errors = wait_for(f"{url}/readyz")

    assert (code, output) == (0, f"Ready: {url}/readyz.\n")
    assert asked == ["GET /readyz"] * 3
    assert errors == f"Waiting for {url}/readyz ...\n"


def test_a_named_url_does_not_imply_the_database() -> None:
    with answering(200) as (url, _):
        assert wait_for(url)[1] == f"Ready: {url}.\n"
        assert wait_for(url, "--database")[1] == f"Ready: database, {url}.\n"


def test_it_waits_for_migrations_of_this_release_and_leaves_those_of_a_newer_one_alone() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("sessions", "0001_initial")
    recorder.record_applied("sessions", "0099_of_the_next_release")
    try:
        pending = wait_for("--migrations", "--timeout", "0")
        recorder.record_applied("sessions", "0001_initial")
        applied = wait_for("--migrations", "--timeout", "60")
    finally:
        recorder.record_unapplied("sessions", "0099_of_the_next_release")

    assert pending[0] == 1
    assert pending[2].endswith("migrations was not ready within 0 s: sessions.0001_initial not applied.\n")
    assert applied == (0, "Ready: migrations.\n", "Waiting for migrations ...\n")


def test_a_time_out_ends_with_1_and_says_what_answered_last() -> None:
    with answering(503) as (url, _):
        assert wait_for(url, "--timeout", "0.3")[0] == 1
        assert wait_for(url, "--timeout", "0")[2].endswith(f"{url} was not ready within 0 s: answers 503.\n")
    nobody = refused()
    assert wait_for(nobody, "--timeout", "0")[2].endswith(f"{nobody} was not ready within 0 s: Connection refused.\n")


def test_a_peer_that_never_answers_cannot_hold_it_past_the_time_out() -> None:
    with silent() as url:
        started = time.monotonic()

        code, _, errors = wait_for(url, "--timeout", "0.5")

    assert code == 1
    assert time.monotonic() - started < 10
    assert "no answer" in errors


def test_a_signal_ends_the_waiting() -> None:
    with answering(503) as (url, asked):

        def stop() -> None:
            while not asked:  # so the command has taken over the signals
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=stop).start()
        code, _, errors = wait_for(url, "--timeout", "60")

    assert code == 1
    assert "Stopped by a signal" in errors


def test_the_deadline_is_shared() -> None:
    first, second = refused(), refused()
    started = time.monotonic()

    code, _, errors = wait_for(first, second, "--timeout", "0.5")

    assert code == 1
    assert time.monotonic() - started < 10
    assert f"{first} was not ready" in errors
    assert second not in errors


@pytest.mark.parametrize(
    "url", ["products:3001", "ftp://products", "http://", "http://me:canary@products/", "http://[::1"]
)
def test_a_malformed_url_is_wrong_usage(url: str) -> None:
    code, _, errors = wait_for(url)

    assert code == 2
    assert "canary" not in errors


@pytest.mark.parametrize("seconds", ["-1", "nan", "soon"])
def test_a_time_out_that_is_no_time_is_wrong_usage(seconds: str) -> None:
    with pytest.raises(CommandError, match="--timeout"):
        wait_for(f"--timeout={seconds}")
