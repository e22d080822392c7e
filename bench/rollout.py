"""Replace one replica after another behind the gateway, under a load that retries nothing: `make rollout`."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from tests.gateway import gateway
from tests.last_release import unpack_last_release
from tests.load import Load, load
from tests.name_server import NameServer, name_server
from tests.processes import ROOT, Service, database, free_port, prepared, prepared_database, stop_all

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
    roots: tuple[Path, ...] = (ROOT,)  # of the releases that replicas run in turn
    running: dict[str, Service] = field(default_factory=dict)

    def start(self, address: str, root: Path) -> None:
        """Start a replica and wait until it is ready; only then the name has its address."""
        bound = {"GUNICORN_CMD_ARGS": f"--bind {address}:{self.port}"}
        replica = Replica(self.name, self.directory, self.env | bound, self.port, root, address=address)
        self.running[address] = replica
        replica.start()
        self._publish()

    def replace(self, address: str) -> None:
        """Drain and stop a replica, then start one of the next release at its address."""
        replica = self.running.pop(address)
        self._publish()
        if code := replica.stop():
            raise SystemExit(f"{self.name} at {address} ended with {code}.")
        self.start(address, self.roots[(self.roots.index(replica.root) + 1) % len(self.roots)])

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
def rollout_stack(directory: Path, delay: str, roots: tuple[Path, ...]) -> Iterator[tuple[int, list[Replicas]]]:
    """Yield the gateway's port and two replicas of each service, of the first release."""
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
            services.append(Replicas(name, env, directory, names, port, roots))
        try:
            for service in services:
                for address in ADDRESSES:
                    service.start(address, roots[0])
            yield door.port, services
        finally:
            stop_all(*[replica for service in services for replica in service.running.values()])


@dataclass
class Cuts:
    """Ends all connections of one service to PostgreSQL after another, as a failover does."""

    every: float  # seconds
    urls: list[str]
    ended: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Cut until the end; each pass is one service's."""
        number = 0
        while not self._stopping.wait(self.every):
            name = self.urls[number % len(self.urls)].rpartition("/")[2]
            with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as server:
                found = server.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", [name]
                )
                self.ended += (found.fetchone() or (0,))[0]
            number += 1

    @contextmanager
    def running(self) -> Iterator[Cuts]:
        """Cut meanwhile."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            thread.join()


@dataclass
class Rollout:
    """The requests of the clients, and the number of connections to PostgreSQL that were cut meanwhile."""

    loads: list[Load]
    cut: int = 0


def rollout(
    directory: Path, *, replacements: int, requests: int, delay: str, cut_every: float = 0.0, last_release: bool = False
) -> Rollout:
    """Replace replicas under load, each service in turn; return what the clients got."""
    roots = (unpack_last_release(directory / "last-release"), ROOT) if last_release else (ROOT,)
    with rollout_stack(directory, delay, roots) as (port, services), ExitStack() as meanwhile:
        cuts = Cuts(cut_every, [service.env["DATABASE_URL"] for service in services])
        if cut_every:
            meanwhile.enter_context(cuts.running())
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
        return Rollout([readers, buyers], cuts.ended)


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
    meaning = "end all connections to PostgreSQL of one service after another; needs TEST_DATABASE_URL"
    parser.add_argument("--cut-every", type=float, default=0.0, metavar="SECONDS", help=meaning)
    parser.add_argument("--last-release", action="store_true", help="replicas run the last release and this in turn")
    options = parser.parse_args()
    if options.cut_every and "TEST_DATABASE_URL" not in os.environ:
        parser.error("--cut-every needs PostgreSQL: TEST_DATABASE_URL")
    with prepared, TemporaryDirectory(prefix="argos-rollout-") as directory:
        done = rollout(Path(directory), **vars(options))
    loads = done.loads
    print(f"{options.replacements} replacements, {total(loads)} requests, {failed(loads).total()} failed.")
    if done.cut:
        print(f"  {done.cut} connections to PostgreSQL were cut")
    for outcome, count in failed(loads).most_common():
        print(f"  {count} times {outcome}")
    return 1 if failed(loads) else 0


if __name__ == "__main__":
    sys.exit(main())
