"""Send events by POST: CloudEvents' HTTP binding in structured mode, with this service's token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import requests

from events import tracing
from events.cloudevents import CONTENT_TYPE, Event
from events.config import EventsConfig
from events.transports.contract import SendResult
from ops.identity.service_token import ServiceToken
from ops.outbound.session import PeerSession

LONGEST_CONNECT = 2.0  # seconds
# Statuses that concern the receiver, its address or our token, not the event.
UNAVAILABLE = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429, 502, 503, 504})


class HttpTransport:
    """POST one event after another over one connection; 2xx means accepted."""

    def __init__(self, config: EventsConfig) -> None:
        assert config.events_url is not None  # noqa: S101 - the caller has checked
        self._url = config.events_url.get_secret_value()
        self._host = urlsplit(self._url).netloc
        self._timeouts = (min(config.events_timeout, LONGEST_CONNECT), config.events_timeout)
        self._session = PeerSession(config)
        self._token = ServiceToken(config, config.events_receiver)
        self._session.headers["Content-Type"] = CONTENT_TYPE

    def send(self, events: Sequence[Event], *, should_stop: Callable[[], bool]) -> SendResult:
        """Send events until the receiver is unavailable."""
        done = SendResult()
        for place, event in enumerate(events):
            if should_stop():
                break
            with tracing.producer_span(event, system="http", destination="events") as headers:
                if event.correlationid:
                    headers["X-Request-ID"] = event.correlationid
                self._post(place, event, headers, done)
            if done.unavailable:
                break
        return done

    def _post(self, place: int, event: Event, headers: dict[str, str], done: SendResult) -> None:
        headers["Authorization"] = f"Bearer {self._token()}"
        try:
            answer = self._session.post(self._url, data=event.to_json(), headers=headers, timeout=self._timeouts)
        except requests.RequestException as error:
            done.unavailable = f"{error} from {self._host}"
            if isinstance(error, requests.ReadTimeout):
                done.failed[place] = "no answer in time"  # perhaps because of this event
            return
        status = answer.status_code
        if 200 <= status < 300:
            done.sent.append(place)
        elif status in UNAVAILABLE or 300 <= status < 400:
            done.unavailable = f"{self._host} answered {status}"
        else:
            done.failed[place] = f"answered {status}"

    def close(self) -> None:
        self._session.close()
