"""The front page of each service: its state, its business, and links to the rest.

Each service has a dashboard at /d/orders-service or /d/products-service. `service` has a variable for the service and
thirty panels; copies of them would not show more.
"""

from __future__ import annotations

from grafana.business import orders_and_rejections
from grafana.now import now
from grafana.panels import COLUMNS, Dashboard, Panel, rate
from grafana.service import TRACES, red


def products_business() -> list[Panel]:
    """Return the business of products."""
    lookups = rate("products_lookups_total", 'job="products-service"', "outcome")
    return [
        Panel(
            "Lookups of one product",
            "reqps",
            {lookups: "{{outcome}}"},
            "not_found above a few per cent: products are missing, or a client's catalogue is stale.",
            width=COLUMNS,
        )
    ]


def front_page(service: str, business: list[Panel]) -> Dashboard:
    """Return the page of one service: its state, its business, and links to the rest."""
    job = f'job="{service}"'
    slow = next(panel for panel in red(job) if panel.exemplars)
    return Dashboard(
        service,
        service,
        f"A summary of {service}; the link Service has the rest.",
        {"Now": now(job), "Business": business, "Durations": [slow]},
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
