"""The events that have taken effect, in the admin: read-only. Their dead letters are in RabbitMQ."""

from __future__ import annotations

from django.contrib import admin

from events.inbox.models import InboxEvent
from ops.api.admin_site import ReadOnlyAdmin


@admin.register(InboxEvent)
class InboxEventAdmin(ReadOnlyAdmin):
    list_display = ("id", "type", "event_id", "source", "taken_at")
    search_fields = ("=event_id", "=type", "=source")
    search_help_text = (
        "Dead letters are not here but in RabbitMQ: `manage.py list_dead_letters` shows them, and "
        "`manage.py redrive_dead_letters` returns them."
    )
    ordering = ("-id",)
