"""Messages cost nothing until somebody uses them, and then are Django's."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import messages
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils.functional import empty

from ops.lazy_messages import LazyMessageMiddleware


@pytest.fixture(autouse=True)
def _kept_in_cookies(settings: Any) -> None:
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"


def answer(request: HttpRequest, *, says: str = "") -> HttpResponse:
    def view(request: HttpRequest) -> HttpResponse:
        if says:
            messages.info(request, says)
        return HttpResponse()

    return LazyMessageMiddleware(view)(request)  # type: ignore[return-value]


def test_a_request_without_messages_sets_up_no_storage() -> None:
    request = RequestFactory().get("/")

    response = answer(request)

    assert vars(request)["_messages"]._wrapped is empty
    assert CookieStorage.cookie_name not in response.cookies


def test_a_message_is_kept_for_the_next_page() -> None:
    response = answer(RequestFactory().get("/"), says="The product was changed.")

    request = RequestFactory().get("/")
    request.COOKIES[CookieStorage.cookie_name] = response.cookies[CookieStorage.cookie_name].value
    answer(request)

    assert [str(message) for message in messages.get_messages(request)] == ["The product was changed."]
