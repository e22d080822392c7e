"""A real Prometheus with the shipped configuration, but other targets, a shorter interval and faster rules."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.processes import ROOT, free_port

CONFIG = ROOT / "prometheus.yml"
SCRAPE_INTERVAL = "1s"  # also the limit of a scrape's duration
EVALUATION_INTERVAL = "500ms"
# A minute of a rule is a second here. Below the shortest range, a window has too few scrapes for rate().
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
QUICK = 60
SHORTEST_RANGE = 4  # seconds

Series = dict[str, Any]


def quick_duration(text: str, *, shortest: float = 0) -> str:
    """Return a duration such as `5m` or `1h30m` divided by QUICK."""
    total = sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", text))
    return f"{round(max(total / QUICK, shortest) * 1000)}ms"


def quick_rules(source: Path) -> dict[str, Any]:
    """Return a shipped rule file with `for` and every range of an expression divided by QUICK."""
    document: dict[str, Any] = yaml.safe_load(source.read_text())
    for group in document["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule["expr"] = re.sub(
                r"\[([\dsmhdw]+)(:?)[\dsmhdw]*\]",
                lambda found: f"[{quick_duration(found[1], shortest=SHORTEST_RANGE)}{':500ms' if found[2] else ''}]",
                rule["expr"],
            )
            if "for" in rule:
                rule["for"] = quick_duration(rule["for"])
            if "keep_firing_for" in rule:
                rule["keep_firing_for"] = quick_duration(rule["keep_firing_for"])
    return document


def shipped_rule_files() -> list[Path]:
    """Return the rule files of the shipped configuration; in the container they lie below /etc/prometheus."""
    patterns = yaml.safe_load(CONFIG.read_text()).get("rule_files", [])
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def configuration(
    directory: Path,
    targets: Mapping[str, Sequence[str]],
    *,
    alertmanager: str | None = None,
    rules: Callable[[Path], dict[str, Any]] = quick_rules,
    scrape_interval: str = SCRAPE_INTERVAL,
) -> dict[str, Any]:
    """Return the shipped configuration with these targets of its jobs; other jobs are left out."""
    document: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    document["global"] |= {"scrape_interval": scrape_interval, "evaluation_interval": EVALUATION_INTERVAL}
    document["global"].pop("scrape_timeout", None)
    document["scrape_configs"] = [job for job in document["scrape_configs"] if job["job_name"] in targets]
    for job in document["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": list(targets[job["job_name"]])}]
    document.pop("alerting", None)
    if alertmanager:
        document["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    document["rule_files"] = []
    for source in shipped_rule_files():
        made = directory / source.name
        made.write_text(yaml.safe_dump(rules(source), sort_keys=False))
        document["rule_files"].append(str(made))
    return document


@dataclass
class Prometheus:
    """One running Prometheus and its HTTP API."""

    port: int
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def api(self, path: str, **parameters: str) -> Any:
        """Return the `data` of an API call; raise with Prometheus' message if the query is refused."""
        answer = requests.post if path.startswith("query") else requests.get
        document = answer(f"{self.url}/api/v1/{path}", parameters, timeout=10).json()
        assert document["status"] == "success", f"{parameters}: {document.get('error')}"
        return document["data"]

    def query(self, expr: str) -> list[Series]:
        """Return the instant vector (or the scalar as one series without labels) of an expression."""
        data = self.api("query", query=expr)
        if data["resultType"] in ("scalar", "string"):
            return [{"metric": {}, "value": data["result"]}]
        result: list[Series] = data["result"]
        return result

    def value(self, expr: str) -> float | None:
        """Return the value of the only series of an expression, or None."""
        found = self.query(expr)
        assert len(found) <= 1, f"{expr} has {len(found)} series: {found}"
        return float(found[0]["value"][1]) if found else None

    def exemplars(self, expr: str, *, last: float = 300) -> list[Series]:
        """Return the exemplars of the last seconds for an expression's series."""
        now = time.time()
        found: list[Series] = self.api("query_exemplars", query=expr, start=str(now - last), end=str(now + 1))
        return found

    def alerts(self) -> list[Series]:
        """Return the alerts that are pending or firing."""
        found: list[Series] = self.api("alerts")["alerts"]
        return found

    def rules(self) -> list[Series]:
        """Return every rule, with its health and last error."""
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]

    def wait_until(self, holds: Callable[[], object], what: str, *, within: float = 30.0) -> None:
        """Poll until a condition holds; after the deadline, fail with its name."""
        deadline = time.monotonic() + within
        while not holds():
            assert time.monotonic() < deadline, f"within {within} s: not {what}"
            time.sleep(0.1)

    def wait_for(self, expr: str, *, within: float = 30.0) -> list[Series]:
        """Return an expression's series once it has any."""
        self.wait_until(lambda: self.query(expr), f"a series of {expr}", within=within)
        return self.query(expr)

    def stop(self) -> None:
        """Stop it; its data are deleted with its directory."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)


@contextmanager
def running_prometheus(
    directory: Path,
    targets: Mapping[str, Sequence[str]],
    *,
    alertmanager: str | None = None,
    rules: Callable[[Path], dict[str, Any]] = quick_rules,
    scrape_interval: str = SCRAPE_INTERVAL,
    options: Sequence[str] = (),
) -> Iterator[Prometheus]:
    """Yield a Prometheus that scrapes `targets`: addresses by job, such as {"orders-service": ["127.0.0.1:3002"]}.

    `options` are further command-line options.
    """
    home = directory / "prometheus"
    home.mkdir()
    config = home / "prometheus.yml"
    document = configuration(home, targets, alertmanager=alertmanager, rules=rules, scrape_interval=scrape_interval)
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    port = free_port()
    log = home / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={home / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                f"--web.external-url=http://127.0.0.1:{port}",
                "--enable-feature=exemplar-storage",
                *options,
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Prometheus(port, home, process)
    try:
        wait_until_ready(f"{server.url}/-/ready", process, log)
        yield server
    finally:
        server.stop()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, *, within: float = 30.0) -> None:
    """Wait for a 200; fail with the server's log when it ends or the deadline passes."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(url, timeout=2).status_code == 200:
                return
        except (requests.ConnectionError, requests.Timeout):  # it listens before it is ready
            pass
        time.sleep(0.05)
    raise AssertionError(f"{url} is not ready:\n{log.read_text()[-3000:]}")
