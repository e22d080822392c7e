"""Session, user and messages of whoever asks, in one pass over the request."""

from __future__ import annotations

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse


class VisitorMiddleware(SessionMiddleware, AuthenticationMiddleware, MessageMiddleware):
    """Do what Django's three middlewares do; who sends no cookie, as no service does, is nobody and has no messages.

    A user and messages that are looked for on their first use only, as Django has it, cost each request more than
    this: and then nobody asks.
    """

    def process_request(self, request: HttpRequest) -> None:
        SessionMiddleware.process_request(self, request)
        if request.COOKIES:
            AuthenticationMiddleware.process_request(self, request)
            MessageMiddleware.process_request(self, request)
        else:
            request.user = AnonymousUser()

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.COOKIES:
            response = MessageMiddleware.process_response(self, request, response)
        return SessionMiddleware.process_response(self, request, response)
