"""What are the bytes of one delivery? A CloudEvent 1.0 or CAP 1.2, the same in every attempt; and its identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from connectors.webhooks import cap
from connectors.webhooks.cap import Issuer, Reference
from schemas.alerts import AlertNotice, DeliveryKind, Heartbeat

EVENT_MEDIA_TYPE = "application/cloudevents+json; charset=UTF-8"
TYPE_PREFIX = "citysense"
BEIJING = ZoneInfo("Asia/Shanghai")  # GB/T 35965 knows no other time


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A place among the ten bulletins that a unit has in a second."""

    prefix: str  # ZZZZZZDDDUUUXX: area, industry, unit, extension
    at: datetime
    serial: int


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """All that a message is made of."""

    delivery_id: UUID
    kind: DeliveryKind
    endpoint: str  # its name
    form: str  # cloudevent, cap
    identifier: str
    references: tuple[Reference, ...] = ()
    notice: AlertNotice | Heartbeat


class Message(msgspec.Struct, frozen=True, kw_only=True):
    message_id: str  # webhook-id, and the id of the CloudEvent
    content_type: str
    body: bytes


def identifier_of(alert_id: UUID, revision: int, number: Number | None = None) -> str:
    """Of one revision of one alert, for every receiver of a prefix the same."""
    if number is None:
        return f"{alert_id}.{revision}"
    return f"{number.prefix}_{number.at.astimezone(BEIJING):%Y%m%d%H%M%S}_{number.serial}"


def message(sending: Sending, issuer: Issuer, acknowledge_at: str) -> Message:
    """`acknowledge_at` is the address of the operations centre; an alert says where it is acknowledged."""
    message_id = str(sending.delivery_id)
    if sending.form == "cap":
        return Message(message_id=message_id, content_type=cap.MEDIA_TYPE, body=_cap(sending, issuer))
    body = msgspec.json.encode(_event(sending, issuer, acknowledge_at))
    return Message(message_id=message_id, content_type=EVENT_MEDIA_TYPE, body=body)


def _cap(sending: Sending, issuer: Issuer) -> bytes:
    notice = sending.notice
    if isinstance(notice, Heartbeat):
        return cap.heartbeat(notice, sending.identifier, issuer, sending.endpoint)
    return cap.alert(sending.kind, notice, sending.identifier, sending.references, issuer, sending.endpoint)


def _event(sending: Sending, issuer: Issuer, acknowledge_at: str) -> dict[str, Any]:
    notice = sending.notice
    event = {
        "specversion": "1.0",
        "id": str(sending.delivery_id),
        "source": f"/citysense/{issuer.area_code}",
        "time": cap.written(notice.at, issuer.zone).replace("-00:00", "Z"),
        "datacontenttype": "application/json",
    }
    if isinstance(notice, Heartbeat):
        return event | {"type": f"{TYPE_PREFIX}.heartbeat", "data": notice}
    data = msgspec.to_builtins(notice) | {
        "identifier": sending.identifier,
        "status": cap.STATUS[sending.kind].lower(),
        "references": [one.identifier for one in sending.references],
        "acknowledge_url": acknowledge_url(acknowledge_at, notice.alert_id, sending.endpoint),
    }
    kind = f"{TYPE_PREFIX}.{sending.kind}.{notice.change}"
    return event | {"type": kind, "subject": str(notice.alert_id), "sequence": f"{notice.revision:08d}", "data": data}


def acknowledge_url(base: str, alert_id: UUID, endpoint: str) -> str:
    return f"{base.rstrip('/')}/alerts/{alert_id}/acknowledgements?endpoint={endpoint}"


def referred(earlier: Sequence[tuple[int, int]], change: str) -> set[int]:
    """From (revision, attempts) of the earlier revisions: those that this receiver may have had.

    An end refers to something in any case: to the revision before it, had or not.
    """
    seen = {revision for revision, attempts in earlier if attempts > 0}
    if not seen and change == "ended" and earlier:
        seen = {max(earlier)[0]}
    return seen
