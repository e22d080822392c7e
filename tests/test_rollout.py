"""Replicas are replaced behind the gateway, and no request fails."""

from __future__ import annotations

from pathlib import Path

from bench.rollout import failed, rollout, total
from tests.gateway import skip_without_nginx

skip_without_nginx()


def test_no_request_fails_while_replicas_are_replaced(tmp_path: Path) -> None:
    loads = rollout(tmp_path, replacements=2, requests=200, delay="0")  # one of each service, without a warning

    assert failed(loads) == {}
    assert total(loads) >= 200
    assert all(each.requests for each in loads)
