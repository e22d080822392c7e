"""The front page of each service: how it is, what it is there for, and the links to the rest.

One dashboard a service was promised, at /d/orders-service and /d/products-service; `service` has a choice of the
service and thirty panels, of which a copy for each would show nothing more.
"""

from __future__ import annotations

from grafana.business import orders_and_rejections
from grafana.now import now
from grafana.panels import COLUMNS, Dashboard, Panel, rate
from grafana.service import TRACES, red


def products_business() -> list[Panel]:
    """Return what products is there for."""
    lookups = rate("products_lookups_total", 'job="products-service"', "outcome")
    return [
        Panel(
            "Lookups of one product",
            "reqps",
            {lookups: "{{outcome}}"},
            "not_found above a few per cent: products are missing, or a caller's catalogue is stale.",
            width=COLUMNS,
        )
    ]


def front_page(service: str, business: list[Panel]) -> Dashboard:
    """Return the page of one service: how it is now, what it is there for, and the way to the rest."""
    job = f'job="{service}"'
    slow = next(panel for panel in red(job) if panel.exemplars)
    return Dashboard(
        service,
        service,
        f"{service} at a glance; the link Service has the rest.",
        {"Now": now(job), "What it is there for": business, "Durations": [slow]},
        jobs=job,
        links={
            f"Everything of {service}": f"/d/service?var-service={service}",
            f"Traces of {service}": TRACES.replace("SERVICE", service),
        },
    )


def front_pages() -> list[Dashboard]:
    """Return the page of each service."""
    return [
        front_page("orders-service", orders_and_rejections()),
        front_page("products-service", products_business()),
    ]
