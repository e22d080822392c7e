"""A session of `requests` for the peers of a service: the one way that this project sends HTTP requests."""

from __future__ import annotations

from typing import Any

import requests

from ops.config.service import ServiceConfig
from ops.outbound.deadline_adapter import DeadlineAdapter

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "argos"}


class PeerSession(requests.Session):
    """Ask peers by `get`, `put` and so on, with a `timeout` that bounds the whole exchange. One thread uses it.

    The environment sets no proxy and no password (`trust_env`); PEER_CA_BUNDLE and PEER_CLIENT_CERTIFICATE say which
    authorities and which certificate of its own TLS uses.
    """

    def __init__(self, config: ServiceConfig, *, max_bytes: int = 65_536, traced: bool = True) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = config.peer_ca_bundle or True
        self.cert = config.peer_client_certificate
        self.headers.clear()
        self.headers.update(HEADERS)
        adapter = DeadlineAdapter(max_bytes=max_bytes, traced=traced)
        for scheme in ("http://", "https://"):
            self.mount(scheme, adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Return the answer of the adapter; raise RequestException.

        `requests` would go on to follow redirects, keep cookies and call hooks: peers use none of them, and a
        `Location` that is not a URL would raise.
        """
        adapter = self.get_adapter(str(request.url))
        return adapter.send(request, timeout=kwargs["timeout"], verify=self.verify or True, cert=self.cert)
