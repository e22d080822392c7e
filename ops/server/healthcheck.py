"""The containers' health check, so that images need no curl: `python -m ops.server.healthcheck`."""

from __future__ import annotations

import http.client
import os
import sys

TIMEOUT = 2.0  # seconds; less than the limit of HEALTHCHECK, so that the reason is printed


def check(port: int) -> str | None:
    """Return the fault of /healthz on this port, or None.

    http.client, unlike urllib and requests, never uses a proxy.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"/healthz on port {port} gave no answer: {error!r}"
    finally:
        connection.close()
    return None if status == 200 else f"/healthz on port {port} answered {status}"


if __name__ == "__main__":
    sys.exit(check(int(os.environ["PORT"])))
