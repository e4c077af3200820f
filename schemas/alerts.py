"""What does an alert look like when it is delivered, and how is it acknowledged? The contract with who is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from schemas.fields import Id, Instant, Word

COLOURS = {1: "blue", 2: "yellow", 3: "orange", 4: "red"}
ACKNOWLEDGED = "alert.acknowledged.v1"  # the schema of the act, in table `action`
DELIVERY_CHANNEL = "delivery"  # NOTIFY with the endpoint's id after deliveries are committed
ENDPOINT_CHANNEL = "endpoint"  # and when an endpoint was added or changed
ACTION_CHANNEL = "action"  # when an act waits to be published

Change = Literal["raised", "updated", "ended"]
DeliveryKind = Literal["alert", "exercise", "test", "heartbeat"]


class AlertNotice(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it stood after one change. A greater revision replaces a smaller one, whatever came first."""

    alert_id: UUID
    revision: int
    change: Change
    domain: str
    kind: str
    subject: str
    level: int
    colour: str
    certainty: str
    raised_at: datetime
    at: datetime  # of this change
    ended_at: datetime | None = None
    sentence_zh: str
    sentence_en: str
    detail: dict[str, Any] = {}


class ActiveAlert(msgspec.Struct, frozen=True, kw_only=True):
    alert_id: UUID
    revision: int
    level: int


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Sent every minute: silence is something else than calm. Who misses one of `alerts` asks for it."""

    at: datetime
    active: int
    by_colour: dict[str, int]
    alerts: tuple[ActiveAlert, ...] = ()  # the most dangerous ones, at most 200


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """What an authority posts, signed with its endpoint's secret."""

    by: Annotated[str, msgspec.Meta(min_length=1, max_length=128, description="The officer who has it in hand")]
    note: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    revision: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1, description="The revision that was read")] | None = None

    def __post_init__(self) -> None:
        if not self.by.isprintable() or "\x00" in self.note:
            raise ValueError("by or note holds a control character")


class AlertAcknowledged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The act in the log: somebody has an alert in hand. Of several about one alert the first in the log counts."""

    action_id: UUID  # the same when the record comes twice
    alert_id: UUID
    domain: Word  # of the alert: it chooses the topic
    at: Instant  # when it was said
    by: Id
    endpoint: Word  # whose secret signed it
    note: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    revision: int | None = None  # that was read; null: nobody said
    received_at: Instant  # when a connector took it into the log


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: the acknowledgement that counts, which is the first, and the times that led to it."""

    alert_id: UUID
    acknowledged_at: datetime
    acknowledged_by: str
    endpoint: str
    note: str = ""
    revision: int | None = None
    raised_at: datetime | None = None  # null: an exercise or a test
    delivered_at: datetime | None = None  # first 2xx of this endpoint; null: none was recorded
