"""RabbitMQ as the stack starts it has a user of each service, with the rights that its commands need and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import amqp
import pytest
import requests
from kombu import Connection

from tests.containers import compose
from tests.faults.rabbitmq import Node, running_node
from tests.processes import ROOT, Stack, manage, running_stack

COMPOSE = compose("docker-compose.yml")["services"]
PASSWORDS = {"orders": 'it"s a \\password', "products": "another"}
MAIN = "argos.events.products-service"
Act = Callable[[Any], object]


def url_of(node: Node, user: str) -> str:
    return node.url(user=user, password=quote(PASSWORDS[user]))


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Run the server by the command of the stack, one password in the environment and one in a file."""
    secret = tmp_path_factory.mktemp("secrets") / "orders_events_password"
    secret.write_text(f"{PASSWORDS['orders']}\n")
    environment = COMPOSE["rabbitmq"]["environment"] | {
        "ORDERS_EVENTS_PASSWORD": "",
        "ORDERS_EVENTS_PASSWORD_FILE": str(secret),
        "PRODUCTS_EVENTS_PASSWORD": PASSWORDS["products"],
    }
    shell, script, _ = COMPOSE["rabbitmq"]["entrypoint"]
    with running_node(shell, ROOT / "rabbitmq" / Path(script).name, **environment) as node:
        yield node


@pytest.fixture
def stack(rabbitmq: Node, tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path) as running:
        for service, user in ((running.orders, "orders"), (running.products, "products")):
            service.env["EVENTS_URL"] = url_of(rabbitmq, user)
        yield running


def succeeded(project: str, *command: str, env: dict[str, str]) -> str:
    done = manage(project, *command, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_command_of_the_stack_works_as_its_service(stack: Stack, rabbitmq: Node) -> None:
    orders, products = stack.orders.env, stack.products.env
    assert stack.place_order().status_code == 201
    for project, env in (("orders_project", orders), ("products_project", products)):
        assert "EVENTS_URL: answers" in succeeded(project, "check_config", "--connect", env=env)

    # The relay has not to wait for a consumer, as the queues are there.
    sent = succeeded("orders_project", *COMPOSE["relay"]["command"][2:], "--once", env=orders)
    with Connection(url_of(rabbitmq, "products")) as connection:  # an event that fails moves to another queue
        message = amqp.Message(b"{", delivery_mode=2)
        connection.channel().basic_publish(message, exchange="", routing_key=MAIN)
    consumed = succeeded("products_project", *COMPOSE["consumer"]["command"][2:], "--once", env=products)
    redriven = succeeded("products_project", "redrive_dead_letters", env=products)

    assert sent == "Sent 1 event.\n"
    assert consumed == "Consumed 2 events: 0 to retry, 1 dead letters.\n"
    assert redriven == "Redrove 1 dead letter.\n"
    sold = requests.get(f"{stack.products.url}/products/1/stats", timeout=30).json()
    assert sold["unitsSold"] == 2


def publish(exchange: str, routing_key: str = "argos.test") -> Act:
    def act(channel: Any) -> None:
        channel.basic_publish(amqp.Message(b"{}"), exchange=exchange, routing_key=routing_key)
        channel.queue_declare(MAIN, passive=True)  # the refusal closes the channel before this answer

    return act


@pytest.mark.parametrize(
    ("user", "act"),
    [
        ("orders", lambda channel: channel.basic_get(MAIN)),
        ("orders", lambda channel: channel.basic_consume(MAIN)),
        ("orders", lambda channel: channel.queue_declare("", exclusive=True)),
        ("orders", lambda channel: channel.queue_bind(MAIN, "argos.events", "#")),
        ("orders", lambda channel: channel.queue_purge(MAIN)),
        ("orders", lambda channel: channel.queue_delete(MAIN)),
        ("orders", lambda channel: channel.exchange_delete("argos.events")),
        ("orders", publish("amq.topic")),
        ("orders", publish("", MAIN)),
        ("products", publish("argos.events")),
        ("products", publish("amq.topic")),
        ("products", lambda channel: channel.exchange_delete("argos.events")),
        ("products", lambda channel: channel.queue_declare("another")),
        ("products", lambda channel: channel.queue_declare("argos.events.orders-service")),
    ],
)
def test_a_service_may_do_nothing_else(rabbitmq: Node, user: str, act: Act) -> None:
    with Connection(url_of(rabbitmq, user)) as connection, pytest.raises(amqp.AccessRefused):
        act(connection.channel())


def test_no_other_user_exists_and_none_administers(rabbitmq: Node) -> None:
    users = {tuple(line.split("\t")) for line in rabbitmq.control("list_users", "--no-table-headers").splitlines()}

    assert users == {("orders", "[]"), ("products", "[]")}
    with pytest.raises(amqp.AccessRefused):
        Connection(rabbitmq.url()).connect()


def test_a_new_password_holds_after_a_restart_which_loses_no_event(rabbitmq: Node) -> None:
    with Connection(url_of(rabbitmq, "products")) as connection:
        publisher = connection.channel()
        publisher.confirm_select()
        message = amqp.Message(b"{}", delivery_mode=2)
        publisher.basic_publish_confirm(message, exchange="", routing_key=f"{MAIN}.dead")
    before = url_of(rabbitmq, "products")
    PASSWORDS["products"] = "a third one"
    rabbitmq.env["PRODUCTS_EVENTS_PASSWORD"] = PASSWORDS["products"]

    rabbitmq.stop()
    rabbitmq.start()

    with pytest.raises(amqp.AccessRefused), Connection(before) as connection:
        connection.connect()
    with Connection(url_of(rabbitmq, "products")) as connection:
        assert connection.channel().queue_purge(f"{MAIN}.dead") == 1
