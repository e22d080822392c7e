"""Compare numbers of threads and processes: `python -m bench.threads`."""

from __future__ import annotations

import argparse
import statistics

from bench.run import load, prepared_databases, sink, subject

CHOICES = ((1, 1), (1, 2), (1, 4), (1, 8), (1, 16), (2, 2), (2, 4))  # processes, threads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds of each measurement (default: %(default)g)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all choices (default: %(default)s)")
    options = parser.parse_args()
    found: dict[tuple[int, int, str], list[dict[str, float]]] = {}
    with sink() as endpoint, prepared_databases() as databases:
        for _ in range(options.rounds):
            for workers, threads in CHOICES:
                size = {"WEB_CONCURRENCY": str(workers), "WEB_THREADS": str(threads)}
                with subject("argos", databases, endpoint, **size) as servers:
                    for method, service, path in (("GET", "products", "/products/1"), ("POST", "orders", "/orders")):
                        load(servers[service], method, path, 4, 1)  # warm
                        measured = load(servers[service], method, path, 32, options.seconds)
                        found.setdefault((workers, threads, method), []).append(measured)
    print("| processes | threads | GET/s | p99 ms | POST/s | p99 ms | errors |\n|---|---|---|---|---|---|---|")
    for workers, threads in CHOICES:
        rows = [found[workers, threads, method] for method in ("GET", "POST")]
        figures = [f"{statistics.median(one[key] for one in row):.0f}" for row in rows for key in ("rps", "p99_ms")]
        errors = sum(one["errors"] for row in rows for one in row)
        print(f"| {workers} | {threads} | {' | '.join(figures)} | {errors:.0f} |")


if __name__ == "__main__":
    main()
