"""A real RabbitMQ raises an alarm, or gives its users no more rights than the documents name."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import amqp
import pytest
from kombu import Connection

from events.inbox.queues import Queues
from events.tests.made_events import confirmed
from tests.faults import rabbitmq
from tests.faults.victims import Worker
from tests.processes import ROOT, database, manage, prepared_database

MAIN = "argos.events.products-service"
QUEUES = Queues("argos.events", MAIN, f"{MAIN}.retry", f"{MAIN}.dead")
RIGHTS = re.compile(r"^\$ (rabbitmqctl set_permissions .*)$", re.MULTILINE)


RECORD = "INSERT INTO outbox_outboxevent (event_id, type, subject, data) VALUES (?, ?, ?, ?)"


@pytest.fixture(scope="module")
def broker() -> Iterator[rabbitmq.Node]:
    with rabbitmq.running_node() as running:
        yield running


@pytest.fixture
def node(broker: rabbitmq.Node) -> rabbitmq.Node:
    """Return the node with empty queues."""
    with Connection(broker.url()) as connection:
        QUEUES.declare(connection)
        channel = connection.channel()
        for queue in (QUEUES.main, QUEUES.retry, QUEUES.dead):
            channel.queue_purge(queue)
    return broker


@pytest.fixture
def products(node: rabbitmq.Node, tmp_path: Path) -> Iterator[dict[str, str]]:
    with database(tmp_path, "products", like=prepared_database("products_project")) as url:
        yield {"DATABASE_URL": url, "EVENTS_URL": node.url(), "EVENTS_TIMEOUT": "2"}


@pytest.fixture
def orders(node: rabbitmq.Node, tmp_path: Path) -> Iterator[dict[str, str]]:
    with database(tmp_path, "orders", like=prepared_database("orders_project")) as url:
        yield {"DATABASE_URL": url, "EVENTS_URL": node.url(), "EVENTS_TIMEOUT": "2"}


def consume(env: dict[str, str]) -> tuple[int, str]:
    done = manage("products_project", "consume_events", "--once", env=env)
    return done.returncode, done.stdout or done.stderr.splitlines()[-1]


def publish(node: rabbitmq.Node, *bodies: bytes) -> None:
    with Connection(node.url()) as connection:
        channel = connection.channel()
        for body in bodies:
            message = amqp.Message(body, message_id=str(uuid4()), delivery_mode=2)
            channel.basic_publish(message, exchange=QUEUES.exchange, routing_key="argos.test")


def waiting(node: rabbitmq.Node) -> list[int]:
    """Return the number of messages in each queue."""
    with Connection(node.url()) as connection:
        channel = connection.channel()
        queues = (QUEUES.main, QUEUES.retry, QUEUES.dead)
        return [channel.queue_declare(queue, passive=True).message_count for queue in queues]


def record(url: str, count: int) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        for _ in range(count):
            event = confirmed(quantity=1)
            database.execute(RECORD, [uuid4().hex, event["type"], event["subject"], json.dumps(event["data"])])


def wait_for(worker: Worker, text: str, *, times: int = 1, more: int = 0) -> None:
    """Wait until the log has the text so many times, or so many times more than now."""
    times = logged(worker, text) + more if more else times
    deadline = time.monotonic() + 90
    while logged(worker, text) < times:
        log = worker.log_path.read_text()[-3000:]
        assert worker.is_running(), log
        assert time.monotonic() < deadline, log
        time.sleep(0.1)


def logged(worker: Worker, text: str) -> int:
    return worker.log_path.read_text().count(text)


def cut_off(node: rabbitmq.Node, name: str) -> None:
    """Close the connection of this name."""
    connections = node.control("list_connections", "pid", "client_properties").splitlines()
    (found,) = [line for line in connections if f'"{name}"' in line]
    node.control("close_connection", found.split()[0], "a test")


def test_an_alarm_holds_up_what_must_be_published_and_multiplies_none_of_it(
    node: rabbitmq.Node, products: dict[str, str], orders: dict[str, str], tmp_path: Path
) -> None:
    publish(node, b"{", *(json.dumps(confirmed(quantity=1)).encode() for _ in range(5)))
    record(orders["DATABASE_URL"], 3)
    relay = Worker("relay", "orders_project", ("relay_events",), orders, tmp_path)
    products["LOG_LEVEL"] = "debug"
    consumer = Worker("consumer", "products_project", ("consume_events",), products, tmp_path)
    node.control("set_disk_free_limit", "999999GB")
    try:
        relay.start()
        wait_for(relay, "relay.held_up")
        consumer.start()
        wait_for(consumer, "event.taken", times=5)  # the failed event holds up none of the others
        wait_for(consumer, "consumer.held_up", more=1)  # so the five are acknowledged
        cut_off(node, "products-service consumer")  # so that the failed event is delivered again
        wait_for(consumer, "CONNECTION_FORCED")
        wait_for(consumer, "consumer.held_up", more=1)

        node.control("set_disk_free_limit", "50MB")
        wait_for(relay, "relay.resumed")
        wait_for(consumer, "event.dead_lettered")
        wait_for(consumer, "event.taken", times=8)
        assert consumer.process
        consumer.process.terminate()
        assert consumer.process.wait(30) == 0
    finally:
        node.control("set_disk_free_limit", "50MB")
        for worker in (relay, consumer):
            if worker.process:
                worker.kill()

    *_, said = consumer.log_path.read_text().splitlines()
    assert said == "Consumed 9 events: 0 to retry, 1 dead letters."
    assert waiting(node) == [0, 0, 1]


def doctor(project: str, env: dict[str, str]) -> tuple[str, str]:
    """Return level and words of what doctor says of the broker."""
    done = manage(project, "doctor", "--json", env=env)
    (line,) = [line for line in json.loads(done.stdout)["checks"] if line["id"] == "events.reachable"]
    return line["level"], line["says"]


def test_the_rights_that_the_documents_name_suffice_and_doctor_finds_missing_ones(
    node: rabbitmq.Node, products: dict[str, str], orders: dict[str, str]
) -> None:
    documented = RIGHTS.findall((ROOT / "docs/operations/run.md").read_text())
    commands = {command[2]: command[1:] for command in map(shlex.split, documented)}
    environments = {"relay": ("orders_project", orders), "consumer": ("products_project", products)}
    for user, (project, env) in environments.items():
        node.control("add_user", user, user)
        node.control("set_permissions", user, commands[user][2], "^$", "^$")  # to configure only
        env["EVENTS_URL"] = node.url(user=user)
        level, says = doctor(project, env)
        assert (level, "ACCESS_REFUSED" in says) == ("warning", True), says

    for command in commands.values():
        node.control(*command)
    assert [doctor(project, env)[0] for project, env in environments.values()] == ["ok", "ok"]
    assert waiting(node) == [0, 0, 0]
    record(orders["DATABASE_URL"], 1)
    sent = manage("orders_project", "relay_events", "--once", env=orders)
    assert sent.returncode == 0, sent.stderr
    publish(node, b"{")
    assert consume(products) == (0, "Consumed 2 events: 0 to retry, 1 dead letters.\n")
    redriven = manage("products_project", "redrive_dead_letters", env=products)
    assert redriven.returncode == 0, redriven.stderr
    assert waiting(node) == [1, 0, 0]
