"""The data of each published type of event: its sender builds it, and its receiver accepts nothing else.

docs/events/ has the same as JSON Schema; a test holds them together.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from events.cloudevents import Event, InvalidEvent, check_time


def to_rfc_3339(moment: datetime) -> str:
    """Return a moment in UTC, always with six digits of a second: as PostgreSQL writes it too."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Moment = Annotated[str, AfterValidator(check_time), WithJsonSchema({"type": "string", "format": "date-time"})]


class Payload(BaseModel):
    """The data of one type of event, under the names that it has in JSON."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    type: ClassVar[str]


class OrderConfirmed(Payload):
    """An order was confirmed."""

    type = "argos.order.confirmed.v1"

    orderId: Id  # noqa: N815 - wire name
    productId: Id  # noqa: N815 - wire name
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    confirmedAt: Moment  # noqa: N815 - wire name


PUBLISHED: dict[str, type[Payload]] = {payload.type: payload for payload in (OrderConfirmed,)}


def read_payload(event: Event) -> Payload:
    """Return the data of an event of a published type; raise InvalidEvent."""
    try:
        return PUBLISHED[event.type].model_validate(dict(event.data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        member = ".".join(["data", *map(str, first["loc"])])
        raise InvalidEvent(f"{member}: {first['msg']}.") from None
