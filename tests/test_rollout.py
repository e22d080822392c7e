"""Replicas are replaced behind the gateway, and no request fails."""

from __future__ import annotations

import os
from pathlib import Path

from bench.rollout import failed, rollout, total
from tests.gateway import skip_without_nginx

skip_without_nginx()
ON_POSTGRESQL = "TEST_DATABASE_URL" in os.environ


def test_no_request_fails_while_replicas_are_replaced(tmp_path: Path) -> None:
    # One of each service, without a warning; on PostgreSQL also while the sessions of a service end.
    done = rollout(tmp_path, replacements=2, requests=200, delay="0", cut_every=0.3 if ON_POSTGRESQL else 0.0)

    assert failed(done.loads) == {}
    assert total(done.loads) >= 200
    assert all(each.requests for each in done.loads)
    assert bool(done.cut) == ON_POSTGRESQL


if not ON_POSTGRESQL:  # once is enough

    def test_no_request_fails_while_this_release_replaces_the_last_one(tmp_path: Path) -> None:
        done = rollout(tmp_path, replacements=2, requests=200, delay="0", last_release=True)

        assert failed(done.loads) == {}
        assert total(done.loads) >= 200
