"""An adapter for `requests` under which a whole exchange ends by a deadline and within a number of bytes."""

from __future__ import annotations

import http.client
import io
from typing import Any
from urllib.parse import urlsplit

from requests import ConnectionError as ConnectionFailed
from requests import ConnectTimeout, PreparedRequest, ReadTimeout, RequestException, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from ops.outbound.answer_reader import AnswerTooLong, ReceivedAnswer
from ops.outbound.origin import Origin


class BodyTooLong(RequestException):
    """The body of the answer is longer than the adapter's limit."""


class DeadlineAdapter(BaseAdapter):
    """Keep one connection to each origin, and bound each exchange. One thread uses an adapter at a time.

    `timeout` is what `requests` calls it, either seconds or a pair, but the second number bounds the whole exchange.
    Each exchange is a client span if it is `traced`.
    """

    def __init__(self, *, max_bytes: int, traced: bool = True) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._traced = traced
        self._origins: dict[tuple[Any, ...], Origin] = {}

    def send(  # noqa: PLR0917 - as BaseAdapter declares it
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Return the answer, read whole; raise RequestException, which names the cause. It uses no proxy."""
        connect_timeout, seconds = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        body: Any = request.body or b""
        origin: Origin | None = None
        try:
            origin = self._origin(str(request.url), verify, cert)
            answer = origin.exchange(
                str(request.method),
                request.path_url,
                request.headers,
                body.encode() if isinstance(body, str) else body,
                connect_timeout=connect_timeout,
                seconds=seconds,
            )
        except TimeoutError as error:
            late = ConnectTimeout if origin is None or origin.is_connecting else ReadTimeout
            raise late(type(error).__name__, request=request) from error
        except AnswerTooLong as error:
            raise BodyTooLong(error, request=request) from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise ConnectionFailed(type(error).__name__, request=request) from error
        return _response(request, answer)

    def _origin(self, url: str, verify: Any, cert: Any) -> Origin:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc, verify, cert)
        origin = self._origins.get(key)
        if origin is None:
            authorities = verify if isinstance(verify, str) else None
            origin = self._origins[key] = Origin(
                url, authorities=authorities, certificate=cert, max_bytes=self._max_bytes, traced=self._traced
            )
        return origin

    def close(self) -> None:
        for origin in self._origins.values():
            origin.close()


def _response(request: PreparedRequest, answer: ReceivedAnswer) -> Response:
    response = Response()
    response.status_code = answer.status
    response.reason = answer.reason
    response.headers = CaseInsensitiveDict(answer.fields)
    response.raw = io.BytesIO(answer.body)
    response.url = str(request.url)
    response.request = request
    return response
