"""Replace one replica after another behind the gateway, under a load that retries nothing: `make rollout`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.gateway import gateway
from tests.load import Load, load
from tests.name_server import NameServer, name_server
from tests.processes import Service, database, free_port, prepared, prepared_database, stop_all

ORDER = b'{"productId": 1, "quantity": 2}'
ADDRESSES = ("127.0.0.2", "127.0.0.3")
PAUSE = 0.05  # seconds before each request of a client: the figure is about failures, not about throughput
EXPECTED = {"GET": 200, "POST": 201}
NO_LIMITS = dict.fromkeys(("GATEWAY_RATE", "GATEWAY_BURST", "GATEWAY_ADDRESS_RATE", "GATEWAY_ADDRESS_BURST"), "100000")


@dataclass
class Replicas:
    """The replicas of one service: one port, and an address for each of them, as containers have."""

    name: str
    env: dict[str, str]
    directory: Path
    names: NameServer
    port: int = field(default_factory=free_port)
    running: dict[str, Service] = field(default_factory=dict)

    def start(self, address: str) -> None:
        """Start a replica and wait until it is ready; only then the name has its address."""
        bound = {"GUNICORN_CMD_ARGS": f"--bind {address}:{self.port}"}
        replica = Replica(self.name, self.directory, self.env | bound, self.port, address=address)
        self.running[address] = replica
        replica.start()
        self._publish()

    def replace(self, address: str) -> None:
        """Drain and stop a replica, then start another one at its address."""
        replica = self.running.pop(address)
        self._publish()
        if code := replica.stop():
            raise SystemExit(f"{self.name} at {address} ended with {code}.")
        self.start(address)

    def _publish(self) -> None:
        self.names.names[self.name] = tuple(self.running)


@dataclass
class Replica(Service):
    """A service that listens on one address."""

    address: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"


@contextmanager
def rollout_stack(directory: Path, delay: str) -> Iterator[tuple[int, list[Replicas]]]:
    """Yield the gateway's port and two replicas of each service."""
    with ExitStack() as stack:
        names = stack.enter_context(name_server())
        products_port, orders_port = free_port(), free_port()
        door = stack.enter_context(
            gateway(
                **NO_LIMITS,
                GATEWAY_RESOLVER=names.address,
                GATEWAY_PRODUCTS=f"products_project.test:{products_port}",
                GATEWAY_ORDERS=f"orders_project.test:{orders_port}",
            )
        )
        # The system's name server does not know the replicas, so orders reaches products through the gateway as well.
        products_url = f"http://127.0.0.1:{door.ports['GATEWAY_PRODUCTS_PORT']}"
        services = []
        for name, port in (("products_project", products_port), ("orders_project", orders_port)):
            url = stack.enter_context(database(directory, name, like=prepared_database(name)))
            env = {"DATABASE_URL": url, "PRODUCTS_SERVICE_URL": products_url, "SHUTDOWN_DELAY": delay}
            if name == "products_project":
                del env["PRODUCTS_SERVICE_URL"]
            services.append(Replicas(name, env, directory, names, port))
        try:
            for service in services:
                for address in ADDRESSES:
                    service.start(address)
            yield door.port, services
        finally:
            stop_all(*[replica for service in services for replica in service.running.values()])


def rollout(directory: Path, *, replacements: int, requests: int, delay: str) -> list[Load]:
    """Replace replicas under load, each service in turn; return what the clients got."""
    with rollout_stack(directory, delay) as (port, services):
        with (
            load(port, "GET", "/products/1", clients=4, pause=PAUSE) as readers,
            load(port, "POST", "/orders", ORDER, clients=4, pause=PAUSE) as buyers,
        ):
            for number in range(replacements):
                service, address = services[number % 2], ADDRESSES[number // 2 % 2]
                service.replace(address)
                print(f"{number + 1}: {service.name} at {address}, {total([readers, buyers])} requests", flush=True)
            while total([readers, buyers]) < requests:
                buyers.wait_for(len(buyers.requests) + 1)
        return [readers, buyers]


def total(loads: list[Load]) -> int:
    """Return how many requests were sent."""
    return sum(len(each.requests) for each in loads)


def failed(loads: list[Load]) -> Counter[str]:
    """Return the outcomes other than the expected status, and how often each occurred."""
    return Counter(
        f"{each.method} {each.path}: {request.status or request.error or request.outcome}"
        for each in loads
        for request in each.requests
        if request.status != EXPECTED[each.method]
    )


def main() -> int:
    """Run, print the figure and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replacements", type=int, default=20)
    parser.add_argument("--requests", type=int, default=20_000, help="at least so many")
    parser.add_argument("--delay", default="5", help="SHUTDOWN_DELAY in seconds")
    options = parser.parse_args()
    with prepared, TemporaryDirectory(prefix="argos-rollout-") as directory:
        loads = rollout(Path(directory), **vars(options))
    print(f"{options.replacements} replacements, {total(loads)} requests, {failed(loads).total()} failed.")
    for outcome, count in failed(loads).most_common():
        print(f"  {count} times {outcome}")
    return 1 if failed(loads) else 0


if __name__ == "__main__":
    sys.exit(main())
