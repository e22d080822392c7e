"""Django's messages, which only the admin uses, set up where somebody uses them."""

from __future__ import annotations

from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject, empty


class LazyMessageMiddleware(MessageMiddleware):
    """Make the storage, which signs and reads cookies, on its first use instead of for every request."""

    def process_request(self, request: HttpRequest) -> None:
        request._messages = SimpleLazyObject(lambda: default_storage(request))  # type: ignore[attr-defined] # noqa: SLF001 - Django's own name

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        storage = getattr(request, "_messages", None)
        if storage is None or storage._wrapped is empty:  # noqa: SLF001 - how Django's own code asks
            return response
        return super().process_response(request, response)
