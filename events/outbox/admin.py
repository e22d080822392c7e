"""The outbox in the admin: read-only, with its dead letters, which staff may redrive."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest

from events.outbox import queue
from events.outbox.models import OutboxEvent
from events.outbox.selectors import DEAD, STATES, state_of
from ops.api.admin_site import ReadOnlyAdmin
from ops.cli.arguments import counted


class StateFilter(admin.SimpleListFilter):
    """Filter events by pending, sent or dead."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, "dead letter" if state == DEAD else state) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> QuerySet[OutboxEvent]:
        state = STATES.get(self.value() or "")
        return queryset if state is None else queryset.filter(state)


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ("position", "type", "subject", "time", "state", "attempts", "last_error")
    list_filter = (StateFilter,)
    search_fields = ("=event_id", "=type", "=subject")
    ordering = ("-position",)
    actions = ("redrive",)

    @admin.display(description="state")
    def state(self, event: OutboxEvent) -> str:
        return state_of(event)

    def has_redrive_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may change events, although the pages are read-only."""
        return request.user.has_perm("outbox.change_outboxevent")

    @admin.action(description="Redrive the selected dead letters", permissions=["redrive"])
    def redrive(self, request: HttpRequest, selected: QuerySet[OutboxEvent]) -> None:
        dead = selected.filter(STATES[DEAD])
        user = str(request.user.pk)
        LogEntry.objects.log_actions(user, dead, CHANGE, "Redriven.")
        count = queue.redrive(among=dead, dry_run=False)
        self.message_user(request, f"Redrove {counted(count, 'dead letter')}.")
