"""Work that waits too long fires its alert, and the command in its runbook resolves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.observability.watched_stack import WatchedStack
from tests.orders_database import execute
from tests.processes import free_port, manage

TRACKED = 2  # a product
OUTBOX = "outbox_outboxevent"


def ago(minutes: int) -> str:
    """Return a moment as both databases store it."""
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("'%Y-%m-%d %H:%M:%S+00:00'")


def run(watched: WatchedStack, *arguments: str, **env: str) -> tuple[int, str]:
    """Return the exit code and the output of a command of orders."""
    done = manage("orders_project", *arguments, env=watched.orders.env | env)
    return done.returncode, done.stdout + done.stderr


def test_events_and_orders_that_wait_too_long(watched: WatchedStack) -> None:
    sink, orders, products = watched.sink, watched.orders.env["DATABASE_URL"], watched.products.env["DATABASE_URL"]
    since = sink.mark()
    watched.relay.stop()
    try:
        # The receiver of events is down, and products loses its table of reservations.
        code, output = run(watched, "relay_events", "--once", EVENTS_URL=f"http://127.0.0.1:{free_port()}/events")
        assert (code, "ConnectionRefusedError" in output) == (1, True), output
        execute(products, f"UPDATE products_product SET stock = 100 WHERE id = {TRACKED}")
        execute(products, "ALTER TABLE products_reservation RENAME TO aside")
        try:
            assert watched.place_order(TRACKED, 1).status_code == 500
            # As after half an hour.
            execute(orders, f"UPDATE orders_order SET created_at = {ago(31)} WHERE status = 'pending'")
            oldest = f"(SELECT min(position) FROM {OUTBOX} WHERE sent_at IS NULL)"
            execute(orders, f"UPDATE {OUTBOX} SET time = {ago(11)} WHERE position = {oldest}")
            for alert in ("OrdersPendingTooLong", "OutboxLag"):
                sink.wait_for("firing", since=since, alertname=alert, service="orders-service", severity="critical")
            code, output = run(watched, "recover_orders", "--once")
            assert (code, "1 postponed" in output) == (1, True), output
        finally:
            execute(products, "ALTER TABLE aside RENAME TO products_reservation")

        # products is back: the order is settled, and a receiver refuses the events for good.
        execute(orders, f"UPDATE orders_order SET recover_after = {ago(1)} WHERE status = 'pending'")
        code, output = run(watched, "recover_orders", "--once")
        assert (code, "1 rejected" in output) == (0, True), output
        refusing = {"EVENTS_URL": f"{watched.prometheus.url}/api/v1/query", "EVENTS_MAX_ATTEMPTS": "1"}  # answers 400
        assert run(watched, "relay_events", "--once", **refusing)[0] == 1
        for alert in ("OrdersPendingTooLong", "OutboxLag"):
            sink.wait_for("resolved", since=since, alertname=alert, service="orders-service", severity="critical")
        sink.wait_for("firing", since=since, alertname="DeadLetters", service="orders-service")

        assert "answered 400" in run(watched, "list_events", "--state", "dead")[1]
        code, output = run(watched, "redrive_events")
        assert code == 0, output
    finally:
        watched.relay.start()
    sink.wait_for("resolved", since=since, alertname="DeadLetters", service="orders-service")
