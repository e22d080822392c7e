"""The path that receives events."""

from __future__ import annotations

from django.urls import path

from events.inbox import views

urlpatterns = [path("events", views.EventInbox.as_view(), name="event-inbox")]
