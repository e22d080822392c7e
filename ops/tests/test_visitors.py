"""A request without cookies is anonymous; with cookies, session, user and messages are Django's."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from ops.server.visitors import VisitorMiddleware


@pytest.fixture(autouse=True)
def _kept_in_cookies(settings: Any) -> None:
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"


def answer(request: HttpRequest, *, says: str = "") -> HttpResponse:
    def view(request: HttpRequest) -> HttpResponse:
        assert request.user.pk is None or request.user.is_staff
        if says:
            messages.info(request, says)
        return HttpResponse()

    return VisitorMiddleware(view)(request)  # type: ignore[return-value]


def request_with(**cookies: str) -> HttpRequest:
    request = RequestFactory().get("/")
    request.COOKIES.update(cookies)
    return request


def test_without_cookies_a_visitor_is_nobody_and_gets_none() -> None:
    request = request_with()

    response = answer(request)

    assert isinstance(request.user, AnonymousUser)
    assert not response.cookies
    assert not response.has_header("Vary")


def test_a_message_is_kept_for_the_next_page() -> None:
    response = answer(request_with(csrftoken="x"), says="The product was changed.")

    request = request_with(**{CookieStorage.cookie_name: response.cookies[CookieStorage.cookie_name].value})
    answer(request)

    assert [str(message) for message in messages.get_messages(request)] == ["The product was changed."]


@pytest.mark.django_db
def test_a_visitor_with_a_session_is_its_user(client: Client) -> None:
    user = User.objects.create_user("mary", is_staff=True)
    client.force_login(user)
    request = request_with(**{name: morsel.value for name, morsel in client.cookies.items()})

    response = answer(request)

    assert request.user == user
    assert response["Vary"] == "Cookie"
