"""Both services under traffic, with links to their databases, a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from ops.tests.test_command_metrics import pushgateway
from tests.gateway import Gateway, gateway
from tests.observability.alertmanager_server import Alertmanager, running_alertmanager
from tests.observability.link import Link, link_to
from tests.observability.loops import Loop
from tests.observability.prometheus_server import Prometheus, running_prometheus
from tests.observability.webhook_sink import WebhookSink, webhook_sink
from tests.processes import ROOT, Service, Stack, database, free_port, prepared_database

PAUSE = 0.15  # seconds between two orders of a client
CLIENTS = 2


@dataclass
class WatchedStack(Stack):
    """The stack, its monitoring, and the links that a test may cut; SQLite has none."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    sink: WebhookSink
    wires: dict[str, Link]
    collector_port: int  # of traces, closed unless a test listens
    pushgateway: str
    door: Gateway
    relay: Loop  # recovery does not run, as no product has tracked stock by default


def traffic(stack: WatchedStack, ending: threading.Event) -> None:
    """Place orders, and read products through the gateway; ignore the answers."""
    with requests.Session() as session:
        while not ending.wait(PAUSE):
            with suppress(requests.RequestException):
                session.post(f"{stack.orders.url}/orders", json={"productId": 1, "quantity": 1}, timeout=5)
            with suppress(requests.RequestException):
                session.get(f"http://127.0.0.1:{stack.door.port}/products/1", timeout=5)


def wired(exits: ExitStack, url: str, wires: dict[str, Link], name: str) -> str:
    """Return the database's URL through a link; SQLite's unchanged."""
    if not os.environ.get("TEST_DATABASE_URL"):
        return url
    parts = urlsplit(url)
    wires[name] = exits.enter_context(link_to(parts.hostname or "127.0.0.1", parts.port or 5432))
    credentials = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{credentials}@127.0.0.1:{wires[name].port}").geturl()


def kill(service: Service) -> None:
    if service.process is not None:
        service.kill()


@contextmanager
def watched_stack(directory: Path) -> Iterator[WatchedStack]:
    with ExitStack() as exits:
        wires: dict[str, Link] = {}
        collector_port = free_port()
        pushed_to, _ = exits.enter_context(pushgateway())
        shared = {
            "JAEGER_ENDPOINT": f"http://127.0.0.1:{collector_port}/v1/traces",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "PUSHGATEWAY_URL": pushed_to,
            "DATABASE_CONNECT_TIMEOUT": "1",
            # Every trial of the open breaker has its retry refused, and trials are frequent.
            "PRODUCTS_RETRY_BUDGET": "0",
            "PRODUCTS_BREAKER_OPEN_FOR": "0.5",
        }
        services: dict[str, Service] = {}
        for name in ("products", "orders"):
            project = f"{name}_project"
            url = exits.enter_context(database(directory, name, like=prepared_database(project)))
            services[name] = Service(project, directory, shared | {"DATABASE_URL": wired(exits, url, wires, name)})
        services["orders"].env |= {
            "PRODUCTS_SERVICE_URL": services["products"].url,
            "EVENTS_URL": f"{services['products'].url}/events",
        }
        for service in services.values():
            exits.callback(kill, service)
            service.start(ready_within=0)
        sink = exits.enter_context(webhook_sink())
        alertmanager = exits.enter_context(running_alertmanager(directory, sink.url))
        targets = {f"{name}-service": [f"127.0.0.1:{service.port}"] for name, service in services.items()}
        targets["pushgateway"] = [pushed_to.removeprefix("http://")]
        door = exits.enter_context(
            gateway(**{f"GATEWAY_{name.upper()}": f"127.0.0.1:{service.port}" for name, service in services.items()})
        )
        targets["gateway"] = [door.status_url.removeprefix("http://")]
        for service in services.values():
            service.wait_until_ready(30)
        relay = Loop(services["orders"], "relay_events")
        exits.callback(relay.stop)
        relay.start()
        prometheus = exits.enter_context(
            running_prometheus(
                directory, targets, alertmanager=alertmanager.address, options=[f"--web.user-assets={ROOT / 'docs'}"]
            )
        )
        stack = WatchedStack(
            services["products"],
            services["orders"],
            prometheus,
            alertmanager,
            sink,
            wires,
            collector_port,
            pushed_to,
            door,
            relay,
        )
        ending = threading.Event()
        for _ in range(CLIENTS):
            threading.Thread(target=traffic, args=(stack, ending), daemon=True).start()
        exits.callback(ending.set)
        yield stack
