from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from ops.cli.command import OpsCommand, Result
from ops.config.report import masked
from ops.config.validators import http_url
from ops.identity.signed_token import LONGEST_TOKEN
from orders_project.orders.smoke.checks import CheckResult, SmokeChecks, run_checks
from orders_project.orders.smoke.http_probe import HttpProbe


class Command(OpsCommand):
    r"""Test running services over HTTP, as their clients use them: health, contract, one order and its telemetry.
    It stops at the first broken promise and names it. It does not need a database. It places one order of
    quantity 1.

    Examples:
      manage.py smoke --products http://localhost:3001 --orders http://localhost:3002
      manage.py smoke --products http://localhost:3001 --orders http://localhost:3002 \
          --prometheus http://localhost:9090 --jaeger http://localhost:16686
      manage.py issue_token smoke | manage.py smoke --products … --orders … --token-file -

    Without --prometheus the counter is read from the /metrics of orders. Pass Prometheus if several replicas
    share a URL. Without ORDERS_ANONYMOUS the order needs --token-file. A broken promise exits with 1, a malformed
    URL with 2.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        where: dict[str, Any] = {"type": _url, "metavar": "URL"}
        parser.add_argument("--products", required=True, help="where products answers", **where)
        parser.add_argument("--orders", required=True, help="where orders answers", **where)
        parser.add_argument("--prometheus", help="see the order counted in Prometheus, not in /metrics", **where)
        parser.add_argument("--jaeger", help="find the order's trace through Jaeger's API", **where)
        parser.add_argument(
            "--product", type=int, default=1, metavar="ID", help="the product to order (default: %(default)s)"
        )
        parser.add_argument(
            "--token-file", metavar="PATH", help="a file with an access token to order with; - is standard input"
        )
        limit: dict[str, Any] = {"type": _seconds, "metavar": "SECONDS"}
        parser.add_argument("--timeout", default=5.0, help="for each request (default: %(default)g)", **limit)
        parser.add_argument(
            "--wait", default=30.0, help="for the count and the trace to arrive (default: %(default)g)", **limit
        )

    def perform(
        self,
        *,
        products: str,
        orders: str,
        prometheus: str | None,
        jaeger: str | None,
        product: int,
        token_file: str | None,
        timeout: float,
        wait: float,
        as_json: bool,
        **options: Any,
    ) -> Result:
        probe = HttpProbe(timeout=timeout, patience=wait, is_stopping=lambda: self.stopping)
        token = _token(token_file) if token_file else ""
        checks = SmokeChecks(probe, products, orders, prometheus, jaeger, product, token)
        results: list[CheckResult] = []
        for result in run_checks(checks.steps(), is_stopping=lambda: self.stopping):
            results.append(result)
            if not as_json:
                self.stdout.write(str(result))
                self.stdout.flush()
        return _result(results)


def _result(results: list[CheckResult]) -> Result:
    outcomes = [result.outcome for result in results]
    counts = {"kept": outcomes.count("kept"), "broken": outcomes.count("broken")}
    counts["not_tried"] = outcomes.count("not tried")
    problems = [
        f"{result.step}: expected {result.expected}, found {result.found}"
        for result in results
        if result.outcome == "broken"
    ]
    if counts["not_tried"] and not problems:
        problems = ["stopped by a signal"]
    sentence = f"All {counts['kept']} promises were kept."
    if problems:
        kept = f"{counts['kept']} of {len(results)} promises were kept, {counts['not_tried']} not tried"
        sentence = f"{kept}. {problems[0]}"
    return Result(sentence, counts, problems, {"steps": [vars(result) for result in results]})


def _token(path: str) -> str:
    """Return the token in the file; an OSError names a file that cannot be read."""
    with nullcontext(sys.stdin) if path == "-" else Path(path).open(encoding="ascii", errors="replace") as file:
        return file.read(LONGEST_TOKEN).strip()


def _url(text: str) -> str:
    try:
        return http_url(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{masked(text)!r} {error}") from None


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:  # this also refuses infinity and NaN
        raise ArgumentTypeError("must be above 0 and at most 3600")
    return value
