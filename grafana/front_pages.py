"""The front page of each service: its state, its business, and links to the rest.

Each folder …_project has a dashboard, such as /d/orders-service. `service` has a variable for the service and thirty
panels; copies of them would not show more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grafana.business import orders_and_rejections  # of the shop
from grafana.now import now
from grafana.panels import COLUMNS, Dashboard, Panel, Rows, rate
from grafana.service import TRACES, red

ROOT = Path(__file__).resolve().parent.parent


def products_business() -> list[Panel]:  # of the shop
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


# The panels of a service's own figures, by its name; a service may lack them.
BUSINESS: dict[str, Callable[[], list[Panel]]] = {
    "orders": orders_and_rejections,  # of the shop
    "products": products_business,  # of the shop
}


def front_page(name: str) -> Dashboard:
    """Return the page of one service: its state, its business, and links to the rest."""
    service = f"{name}-service"
    job = f'job="{service}"'
    slow = next(panel for panel in red(job) if panel.exemplars)
    business: Rows = {"Business": BUSINESS[name]()} if name in BUSINESS else {}
    return Dashboard(
        service,
        service,
        f"A summary of {service}; the link Service has the rest.",
        {"Now": now(job), **business, "Durations": [slow]},
        jobs=job,
        links={
            f"Everything of {service}": f"/d/service?var-service={service}",
            f"Traces of {service}": TRACES.replace("SERVICE", service),
        },
    )


def front_pages() -> list[Dashboard]:
    """Return the page of each service."""
    return [front_page(folder.name.removesuffix("_project")) for folder in sorted(ROOT.glob("*_project"))]
