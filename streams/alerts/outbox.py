"""Which endpoints are told of a change of an alert, and what are they told? Generic over domains."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence

import msgspec

from schemas.alerts import COLOURS, AlertNotice
from streams.alerts.episodes import Change

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "citysense/delivery")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint wants to hear of. Nothing named: everything."""

    endpoint_id: uuid.UUID
    domains: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    min_level: int = 1
    expire_s: int = 86_400


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A row of table delivery."""

    delivery_id: uuid.UUID
    endpoint: Endpoint
    notice: AlertNotice
    encoded: bytes


def parcels(
    written: Sequence[tuple[Change, int]], endpoints: Sequence[Endpoint], told: Collection[tuple[uuid.UUID, uuid.UUID]]
) -> list[Parcel]:
    """For each change, under the revision that it got, a delivery to each endpoint that it concerns.

    `told` are the (endpoint, alert) that have deliveries: who heard of an alert hears how it goes on.
    """
    found = []
    heard = set(told)
    for change, revision in written:
        notice = notice_of(change, revision)
        encoded = msgspec.json.encode(notice)
        for endpoint in endpoints:
            lane = (endpoint.endpoint_id, notice.alert_id)
            if lane in heard or wants(endpoint, notice):
                heard.add(lane)
                known_by = delivery_id(endpoint.endpoint_id, notice, encoded)
                found.append(Parcel(delivery_id=known_by, endpoint=endpoint, notice=notice, encoded=encoded))
    return sorted(found, key=lambda one: (one.notice.alert_id.bytes, one.endpoint.endpoint_id.bytes))


def wants(endpoint: Endpoint, notice: AlertNotice) -> bool:
    """Is this the first that an endpoint hears of an alert? The end of one that it never heard of is no news."""
    return (
        notice.change != "ended"
        and notice.level >= endpoint.min_level
        and (not endpoint.domains or notice.domain in endpoint.domains)
        and (not endpoint.kinds or notice.kind in endpoint.kinds)
    )


def notice_of(change: Change, revision: int) -> AlertNotice:
    alert = change.alert
    return AlertNotice(
        alert_id=alert.alert_id,
        revision=revision,
        change=change.change,
        domain=alert.subject.domain,
        kind=alert.subject.kind,
        subject=alert.subject.subject,
        level=alert.level,
        colour=COLOURS[alert.level],
        certainty=alert.certainty,
        raised_at=alert.raised_at,
        at=change.at,
        ended_at=alert.ended_at,
        sentence_zh=alert.sentence_zh,
        sentence_en=alert.sentence_en,
        detail=alert.detail,
    )


def delivery_id(endpoint_id: uuid.UUID, notice: AlertNotice, encoded: bytes) -> uuid.UUID:
    """A replay gives the same id, so receivers see it once; another content under the same revision gives another."""
    content = hashlib.sha256(encoded).hexdigest()
    return uuid.uuid5(NAMESPACE, f"{endpoint_id}\x1f{notice.alert_id}\x1f{notice.revision}\x1f{content}")
