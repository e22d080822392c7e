"""Send events by POST: CloudEvents' HTTP binding in structured mode, with the service token."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3

from events import tracing
from events.cloudevents import CONTENT_TYPE, Event
from events.transports.contract import Sending
from ops.config.service import ServiceConfig
from ops.outbound.deadline_adapter import DeadlineAdapter, limit_exchange

LONGEST_ANSWER = 65_536  # bytes
LONGEST_CONNECT = 2.0  # seconds
# Statuses that concern the receiver, its address or our token, not the event.
UNAVAILABLE = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429, 502, 503, 504})


class HttpTransport:
    """POST one event after another over one connection; 2xx means accepted."""

    def __init__(self, config: ServiceConfig) -> None:
        assert config.events_url is not None  # noqa: S101 - the caller has checked
        self._url = config.events_url.get_secret_value()
        self._timeout = config.events_timeout
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc between services
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.headers.update(
            {
                "Authorization": f"Bearer {config.service_token.get_secret_value()}",
                "Content-Type": CONTENT_TYPE,
                "User-Agent": "argos",
            }
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter())

    def send(self, events: Sequence[Event], *, enough: Callable[[], bool]) -> Sending:
        """Send events until the receiver is unavailable."""
        done = Sending()
        for place, event in enumerate(events):
            if enough():
                break
            with tracing.sending(event, system="http", destination="events") as headers:
                self._post(place, event, headers, done)
            if done.unavailable:
                break
        return done

    def _post(self, place: int, event: Event, headers: dict[str, str], done: Sending) -> None:
        limit_exchange(time.monotonic() + self._timeout, LONGEST_ANSWER)
        try:
            with self._session.post(
                self._url,
                data=event.to_json(),
                headers=headers,
                timeout=(min(self._timeout, LONGEST_CONNECT), self._timeout),
                allow_redirects=False,
                stream=True,
            ) as answer:
                _ = answer.content  # read completely, so that the connection can be reused
                status = answer.status_code
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            cause = _root_cause(error)
            done.unavailable = f"{type(cause).__name__} from {self._host}"
            if isinstance(cause, TimeoutError) and not isinstance(error, requests.ConnectTimeout):
                done.failed[place] = "no answer in time"  # perhaps because of this event
            return
        if 200 <= status < 300:
            done.sent.append(place)
        elif status in UNAVAILABLE or 300 <= status < 400:
            done.unavailable = f"{self._host} answered {status}"
        else:
            done.failed[place] = f"answered {status}"

    @property
    def _host(self) -> str:
        return self._url.split("/")[2]

    def close(self) -> None:
        self._session.close()


def _root_cause(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error
