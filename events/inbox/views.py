"""HTTP for events: services POST them (CloudEvents' HTTP binding, structured mode)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events import tracing
from events.cloudevents import CONTENT_TYPE, LONGEST, SPEC_VERSION, TEXT, InvalidEvent, read_event
from events.inbox.handler import handle_event
from ops.api.authentication import ServiceTokenAuthentication
from ops.api.parsers import JSONParser
from ops.api.permissions import IsService
from ops.api.problems import DomainError
from ops.api.renderers import JSONRenderer


class EventInvalid(DomainError):
    """The body is not a CloudEvent, or its data does not match its type; a retry does not help."""

    code = "event_invalid"
    status = 400
    detail = "The event is not valid."


class EventParser(JSONParser):
    """Parse an event in structured mode."""

    media_type = CONTENT_TYPE


class EventSerializer(serializers.Serializer[Any]):
    """A CloudEvent 1.0; docs/events/ has the schema of each type's data."""

    specversion = serializers.ChoiceField([SPEC_VERSION])
    id = serializers.RegexField(TEXT, max_length=LONGEST)
    source = serializers.RegexField(TEXT, max_length=LONGEST, help_text="identifies the event together with id")  # type: ignore[assignment] # shadows Field.source
    type = serializers.RegexField(TEXT, max_length=LONGEST, help_text="unknown types are accepted and ignored")
    subject = serializers.RegexField(TEXT, max_length=LONGEST, required=False)
    time = serializers.DateTimeField(required=False)
    datacontenttype = serializers.ChoiceField(["application/json"], required=False)
    traceparent = serializers.CharField(required=False, allow_blank=True)
    correlationid = serializers.CharField(
        required=False, allow_blank=True, help_text="the X-Request-ID of the request that caused it"
    )
    data = serializers.DictField(required=False)  # type: ignore[assignment] # shadows Serializer.data


class EventInbox(APIView):
    """Receive events; each takes effect once."""

    authentication_classes = [ServiceTokenAuthentication]
    permission_classes = [IsService]
    callers: tuple[str, ...] = ()  # the services that may send events; `as_view` names them
    parser_classes: list[type[BaseParser]] = [EventParser]
    renderer_classes = [JSONRenderer]  # for services alone: no page for browsers
    serializer_class = EventSerializer
    problems = {
        "POST": {400: "`event_invalid`, `validation_error`, naming the parameter, `parse_error` or `bad_request`"}
    }

    @extend_schema(
        operation_id="events_take",
        summary="Receive an event",
        description="For services. A second delivery of the same event gets the same answer and has no effect.",
        request={CONTENT_TYPE: EventSerializer},
        responses={204: None},
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Apply an event; answer 204 after its effect is stored, also if it was stored before."""
        try:
            event = read_event(request.data)
            with tracing.consumer_span(event, system="http", destination="events", headers={}):
                handle_event(event)
        except InvalidEvent as error:
            raise EventInvalid(str(error)) from None
        return Response(status=204)
