"""Clients cannot make the metrics grow: 10,000 random paths, methods and Hosts add a handful of series."""

from __future__ import annotations

import random
import socket
import string
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import Service, running_stack

REQUESTS = 10_000
CONNECTIONS = 2  # more would only wait for a core
NEW_SERIES = 250  # at most: a few routes, methods and statuses times a histogram's buckets


def series(service: Service) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    text = requests.get(f"{service.url}/metrics", timeout=30).text
    return {
        (sample.name, frozenset(sample.labels.items()))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def a_request(words: random.Random) -> bytes:
    """Return a request with random method, path and Host, but not HEAD, whose answer is read differently."""
    word = "".join(words.choices(string.ascii_uppercase, k=8))
    method = words.choice([word, "GET", "POST", "DELETE", "OPTIONS"])
    path = words.choice(
        [
            f"/{word}",
            f"/products/{word}",
            f"/products/{words.randrange(10**9)}",
            f"/products?search={word}",
            f"/{word}/metrics",
        ]
    )
    host = words.choice(["localhost", f"{word}.example"])
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode()


def send(port: int, seed: int, count: int) -> int:
    """Send this number of requests over kept-alive connections; return how many were answered."""
    words, answered = random.Random(seed), 0
    while answered < count:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            while answered < count:
                connection.sendall(a_request(words))
                response = HTTPResponse(connection)
                response.begin()
                response.read()
                answered += 1
                if response.will_close:
                    break
    return answered


@pytest.mark.timeout(300)
def test_ten_thousand_random_requests_make_no_series_of_their_own(tmp_path: Path) -> None:
    with running_stack(tmp_path, LOG_LEVEL="error") as stack:
        requests.get(f"{stack.products.url}/products/1", timeout=10)
        before = series(stack.products)

        with ThreadPoolExecutor(CONNECTIONS) as clients:
            share = REQUESTS // CONNECTIONS
            answered = sum(clients.map(lambda seed: send(stack.products.port, seed, share), range(CONNECTIONS)))

        after = series(stack.products)
        counted = sum(
            sample.value
            for family in text_string_to_metric_families(requests.get(f"{stack.products.url}/metrics", timeout=30).text)
            for sample in family.samples
            if sample.name == "http_requests_total"
        )
        assert answered == REQUESTS
        assert counted >= REQUESTS
        assert len(after - before) <= NEW_SERIES
        labels = {value for name, pairs in after for label, value in pairs if label in {"method", "route", "status"}}
        assert not {value for value in labels if len(value) == 8 and value.isupper()}
