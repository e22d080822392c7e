"""Compare this checkout with another one, both loaded alternately: `python -m bench.compare FOLDER`.

Each runs one process of both services, traced, on databases of its own. CPU time is user and system time a request of
both workers, and apart from it that of PostgreSQL's sessions, if TEST_DATABASE_URL is set. Figures are medians.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from bench.run import ROOT, Server, cpu_seconds, load, prepared_databases, require_wrk, sink, subject

CASES = {"GET": ("products", "/products/1"), "POST": ("orders", "/orders")}
Samples = dict[tuple[str, int], dict[str, list[dict[str, float]]]]
FIGURES = ("cpu_us", "database_us", "p99_ms", "rps", "errors", "memory_mb", "cold_start_s")


def database_seconds(urls: dict[str, str]) -> float:
    """Return the CPU time of PostgreSQL's sessions in these databases."""
    names = [urlsplit(url).path.strip("/") for url in urls.values() if not url.startswith("sqlite")]
    found = 0.0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_text(errors="replace")
            if title.startswith("postgres:") and any(f" {name} " in title for name in names):
                found += cpu_seconds(process.name)
        except OSError:  # it has ended
            continue
    return found


def measure(
    servers: dict[str, Server], urls: dict[str, str], method: str, connections: int, seconds: float
) -> dict[str, float]:
    """Load one case and return its figures."""
    service, path = CASES[method]
    others = [server for name, server in servers.items() if name != service]
    before = database_seconds(urls), sum(server.cpu_seconds() for server in others)
    found = load(servers[service], method, path, connections, seconds)
    requests = max(found["requests"], 1)
    found["database_us"] = (database_seconds(urls) - before[0]) / requests * 1e6
    if method == "POST":
        found["cpu_us"] += (sum(server.cpu_seconds() for server in others) - before[1]) / requests * 1e6
    found["cold_start_s"] = servers[service].cold_start
    return found


def samples(options: argparse.Namespace) -> Samples:
    """Return the figures of every round, by case, connections and checkout."""
    found: Samples = {}
    roots = {"other": options.other.resolve(), "this": ROOT}
    with ExitStack() as stack:
        endpoint = stack.enter_context(sink())
        databases = {name: stack.enter_context(prepared_databases(root)) for name, root in roots.items()}
        for number in range(options.rounds):
            for name in sorted(roots, reverse=number % 2 == 0):
                with subject("argos", databases[name], endpoint, root=roots[name]) as servers:
                    for method in options.cases:
                        measure(servers, databases[name], method, 4, min(options.seconds, 2))  # warm
                        for connections in options.connections:
                            one = measure(servers, databases[name], method, connections, options.seconds)
                            found.setdefault((method, connections), {}).setdefault(name, []).append(one)
                            figures = "  ".join(f"{key} {one[key]:.6g}" for key in FIGURES)
                            print(f"{number + 1} {name:5} {method:4} {connections:3}  {figures}", flush=True)
    return found


def table(found: Samples) -> str:
    """Return the medians and their ratios as Markdown."""
    lines = [f"| case | {' | '.join(FIGURES)} |", "|---" * (len(FIGURES) + 1) + "|"]
    for (method, connections), rounds in found.items():
        cells = []
        for key in FIGURES:
            other, this = (statistics.median(one[key] for one in rounds[name]) for name in ("other", "this"))
            cells.append(f"{other:.5g} → {this:.5g}" + (f", {this / other:.2f}" if other else ""))
        lines.append(f"| {method} x {connections} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, metavar="FOLDER", help="the other checkout, which this Python also runs")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of each measurement (default: %(default)g)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over both checkouts (default: %(default)s)")
    parser.add_argument("--connections", type=int, nargs="+", default=[32])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    if not (options.other / "orders_project" / "manage.py").is_file():
        parser.error(f"{options.other} is not a checkout of Argos")
    require_wrk()
    print(table(samples(options)))


if __name__ == "__main__":
    main()
