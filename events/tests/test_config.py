"""EVENTS_URL chooses a transport, or is a fault that quotes nothing of it."""

from __future__ import annotations

import pytest

from events.tests.settings import ShopConfig
from events.transports.broker import host_of


def faults(**environ: str) -> dict[str, str]:
    return dict(ShopConfig.read(environ).faults)


def config(**environ: str) -> ShopConfig:
    reading = ShopConfig.read(environ)
    assert reading.config is not None, reading.faults
    return reading.config


@pytest.mark.parametrize(
    "url", ["amqp://broker", "amqps://me:pass@broker:5671/vhost", "http://localhost:3001/events", "https://h/events/"]
)
def test_events_go_over_http_or_amqp(url: str) -> None:
    transport = config(EVENTS_URL=url).events_url

    assert transport is not None
    assert transport.get_secret_value() == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *("broker", "redis://broker", "amqp://", "amqp:///vhost", "amqp://broker:0", "amqp://me:canary/@broker:x"),
        *("amqp://me:canary@broker:99999", "amqp://[", "http://me:canary@h/events", "http://"),
    ],
)
def test_an_events_url_that_leads_nowhere_is_a_fault_that_quotes_nothing(url: str) -> None:
    found = faults(EVENTS_URL=url)

    assert set(found) == {"EVENTS_URL"}
    assert "canary" not in found["EVENTS_URL"]


def test_production_refuses_a_brokers_default_password() -> None:
    url = "amqp://guest:guest@broker"

    assert "EVENTS_URL" not in faults(EVENTS_URL=url)
    assert "EVENTS_URL" in faults(EVENTS_URL=url, DJANGO_ENV="production")


def test_the_scheme_may_be_written_in_capitals() -> None:
    transport = config(EVENTS_URL="AMQPS://me:Pass@Broker/Vhost").events_url

    assert transport is not None
    assert transport.get_secret_value() == "amqps://me:Pass@Broker/Vhost"
    assert host_of(config(EVENTS_URL="AMQPS://me:Pass@broker/vhost")) == "broker:5671"
