"""Write kubernetes/cluster/prometheus-rule.yaml: the very rules of prometheus/rules/ for the Prometheus operator.

`python -m kubernetes.make_prometheus_rule` writes the file; --check only compares.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = ROOT / "kubernetes" / "cluster" / "prometheus-rule.yaml"
HEADER = """\
# yamllint disable rule:line-length rule:indentation
# The rules of prometheus/rules/. Written by `python -m kubernetes.make_prometheus_rule`; do not edit.
"""
# In the cluster the gateway is not ours: an alert that it has no target would always fire.
LEFT_OUT = {'absent(up{job="gateway"})'}
# The compose stack's Prometheus serves docs/; the operator's does not. Set it to where your team reads them.
SERVED, RUNBOOKS = "{{ $externalURL }}/user/runbooks/", "https://docs.example/argos/runbooks/"


class PlainDumper(yaml.SafeDumper):
    """Writes expressions of several lines as blocks, and repeats a value instead of naming it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def written(dumper: PlainDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


PlainDumper.add_representer(str, written)


def groups() -> list[dict[str, Any]]:
    """Return every group of rules, as the operator needs them."""
    files = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
    found = [group for file in files for group in yaml.safe_load(file.read_text().replace(SERVED, RUNBOOKS))["groups"]]
    return [group | {"rules": [rule for rule in group["rules"] if rule["expr"] not in LEFT_OUT]} for group in found]


def document() -> str:
    """Return the whole file."""
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "argos"},
        "spec": {"groups": groups()},
    }
    return HEADER + yaml.dump(rule, Dumper=PlainDumper, sort_keys=False, width=1000, allow_unicode=True)


def main() -> None:
    if "--check" not in sys.argv:
        WRITTEN.write_text(document())
    elif WRITTEN.read_text() != document():
        sys.exit(f"{WRITTEN.relative_to(ROOT)} is not current: run python -m kubernetes.make_prometheus_rule")


if __name__ == "__main__":
    main()
