"""Pacts: the expectations of a consumer, written by its tests, committed, and verified against the provider."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["PACT_DO_NOT_TRACK"] = "true"  # otherwise the verifier reports each run to its makers

from pact import Pact

from ops.config.service import ROOT

PACTS = ROOT / "docs" / "pacts"
WRITE = "WRITE_PACTS"  # a variable: with any value, the tests write the files


def pact_between(consumer: str, provider: str) -> Pact:
    return Pact(consumer, provider).with_specification("V4")


def pact_file(consumer: str, provider: str) -> Path:
    return PACTS / f"{consumer}-{provider}.json"


def assert_committed(pact: Pact) -> None:
    """Fail if the committed file says something else; write it instead if WRITE_PACTS is set."""
    with TemporaryDirectory() as folder:
        pact.write_file(folder, overwrite=True)
        written = json.loads((Path(folder) / pact_file(pact.consumer, pact.provider).name).read_text("utf-8"))
    del written["metadata"]["pactRust"]  # the versions of the library
    path = pact_file(pact.consumer, pact.provider)
    if WRITE in os.environ:
        path.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    assert json.loads(path.read_text("utf-8")) == written, f"{path.name} is out of date: see docs/pacts/README.md"
