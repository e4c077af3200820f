"""The outbox in the database: take what is due, write what came of it. Each function is one transaction of its caller.

A lane (one alert at one endpoint) is leased for longer than an attempt can take, so any number of processes share the
work and none sends what another has under way. The lease of a sender that died runs out; its message goes out again
under the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from connectors.webhooks.cap import Reference
from connectors.webhooks.message import Number, Sending, identifier_of, referred
from connectors.webhooks.schedule import Answer, Next, Targets, Waiting, choose, lease_s, target
from schemas.alerts import AlertNotice, DeliveryKind, Heartbeat
from sql.connect import Connection
from sql.named import named

_SQL = named("webhooks")
HELD_LOOK_S = 5.0
SERIALS = 10


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A row of table endpoint, and the ciphertexts of its secrets."""

    endpoint_id: UUID
    name: str
    form: str
    gb_prefix: str | None
    state: str
    targets: Targets
    allowed: tuple[str, ...]
    ca_pem: str | None
    ciphertexts: tuple[bytes, ...]
    now: datetime  # the database's


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that has been counted and is now to be made by the holder of the lease."""

    endpoint: Endpoint
    sending: Sending
    alert_id: UUID
    level: int
    url: str
    attempt: int
    attempt_of_round: int  # since it was last queued: the waits follow this
    holder: str


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    endpoint: Endpoint | None
    claims: tuple[Claim, ...] = ()
    next_due_s: float | None = None


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a lane."""

    delivery_id: UUID
    revision: int
    state: str
    kind: DeliveryKind
    level: int
    at: datetime
    notice: str
    attempts: int
    attempts_before: int
    first_attempt_at: datetime | None
    last_url: str | None
    is_due: bool


def endpoint_ids(connection: Connection) -> dict[UUID, str]:
    """All that are not removed, with their state."""
    return {row[0]: row[2] for row in _SQL.endpoints(connection)}


def load_endpoint(connection: Connection, endpoint_id: UUID) -> Endpoint | None:
    row = _SQL.endpoint(connection, endpoint_id=endpoint_id)
    if row is None:
        return None
    targets = Targets(url=row[2], fallback_url=row[3], gone=tuple(row[7]), failing_since=row[8], held_until=row[9])
    return Endpoint(
        endpoint_id=row[0],
        name=row[1],
        form=row[4],
        gb_prefix=row[5],
        state=row[6],
        targets=targets,
        allowed=tuple(row[10]),
        ca_pem=row[11],
        now=row[12],
        ciphertexts=tuple(bytes(one) for one in row[13]),
    )


def claim(connection: Connection, endpoint_id: UUID, slots: int, slots_failing: int, holder: str) -> Taken:
    """Lease what is due, at most `slots` lanes, and count the attempts. Nothing of an endpoint that is not active.

    One that is failing is asked for less at a time: `slots_failing`.
    """
    endpoint = load_endpoint(connection, endpoint_id)
    if endpoint is None or endpoint.state != "active":
        return Taken(endpoint=endpoint)
    claims = []
    if endpoint.targets.failing_since is not None:
        slots = min(slots, slots_failing)
    if slots > 0:
        due = _SQL.due_lanes(connection, endpoint_id=endpoint_id, slots=slots)
        for alert_id in dict.fromkeys(row[0] for row in due):
            one = _claim_lane(connection, endpoint, alert_id, holder)
            if one is not None:
                claims.append(one)
    return Taken(endpoint=endpoint, claims=tuple(claims), next_due_s=_SQL.next_due(connection, endpoint_id=endpoint_id))


def record(connection: Connection, claim: Claim, answer: Answer, following: Next) -> bool:
    """Write what came of an attempt and give the lane back. True when a url was found gone just now."""
    endpoint, delivery_id = claim.endpoint, claim.sending.delivery_id
    is_first = claim.url == endpoint.targets.url
    newly_gone = False
    _SQL.end_attempt(
        connection,
        delivery_id=delivery_id,
        attempt=claim.attempt,
        status=answer.status,
        outcome=following.outcome,
        detail=answer.detail[:500],
    )
    if following.outcome == "delivered":
        _SQL.delivered(connection, delivery_id=delivery_id)
        if is_first:
            _SQL.answers(connection, endpoint_id=endpoint.endpoint_id)
    elif following.outcome == "gone":
        newly_gone = _gone(connection, claim)
    else:
        wait_s = following.wait_s if is_first else max(following.wait_s, following.hold_s)
        _SQL.try_again(connection, delivery_id=delivery_id, wait_s=wait_s)
        if is_first:
            _SQL.fails(connection, endpoint_id=endpoint.endpoint_id)
        if is_first and following.outcome == "held":
            _SQL.hold(connection, endpoint_id=endpoint.endpoint_id, wait_s=following.hold_s)
    _SQL.release(connection, endpoint_id=endpoint.endpoint_id, alert_id=claim.alert_id, holder=claim.holder)
    return newly_gone


def expire(connection: Connection) -> list[tuple[UUID, UUID]]:
    """Give up what is past its time; the (endpoint, delivery) of alerts that nobody was told of, now incidents."""
    missed = []
    for delivery_id, endpoint_id, kind, attempts, is_newest in _SQL.expire(connection):
        if kind == "alert" and is_newest:
            detail = f"not delivered in time, after {attempts} attempts"
            _SQL.add_incident(
                connection, endpoint_id=endpoint_id, kind="expired", delivery_id=delivery_id, detail=detail
            )
            missed.append((endpoint_id, delivery_id))
    return missed


def drop_heartbeats(connection: Connection, older_than: datetime) -> int:
    dropped: int = _SQL.drop_heartbeats(connection, older_than=older_than)
    return dropped


def _claim_lane(connection: Connection, endpoint: Endpoint, alert_id: UUID, holder: str) -> Claim | None:
    found = _SQL.lane(connection, endpoint_id=endpoint.endpoint_id, alert_id=alert_id)
    lane = [_Row(**dict(zip(_Row.__struct_fields__, row, strict=True))) for row in found]
    choice = choose([Waiting(delivery_id=one.delivery_id, revision=one.revision, state=one.state) for one in lane])
    if choice.superseded and choice.by:
        stale = [one.delivery_id for one in choice.superseded]
        _SQL.supersede(connection, delivery_ids=stale, by=choice.by.delivery_id)
    newest = lane[-1]
    if choice.send is None or not newest.is_due:
        return None
    url = target(
        endpoint.targets,
        endpoint.now,
        first_attempt_at=newest.first_attempt_at,
        last_url=newest.last_url,
        is_probe=newest.kind == "heartbeat",
    )
    if url is None:
        until = endpoint.targets.held_until or endpoint.now + timedelta(seconds=HELD_LOOK_S)
        _SQL.wait_until(connection, delivery_id=newest.delivery_id, until=until)
        return None
    try:
        sending = _sending(connection, endpoint, alert_id, lane)
    except msgspec.MsgspecError as error:
        _give_up(connection, endpoint, newest, f"it cannot be read: {error}")
        return None
    _SQL.lease(
        connection,
        endpoint_id=endpoint.endpoint_id,
        alert_id=alert_id,
        holder=holder,
        lease_s=lease_s(newest.level),
    )
    attempt = _SQL.begin_attempt(connection, delivery_id=newest.delivery_id, url=url)
    _SQL.add_attempt(connection, delivery_id=newest.delivery_id, attempt=attempt, url=url, sender=holder)
    return Claim(
        endpoint=endpoint,
        sending=sending,
        alert_id=alert_id,
        level=newest.level,
        url=url,
        attempt=attempt,
        attempt_of_round=attempt - newest.attempts_before,
        holder=holder,
    )


def _give_up(connection: Connection, endpoint: Endpoint, row: _Row, why: str) -> None:
    _SQL.give_up(connection, delivery_id=row.delivery_id)
    _SQL.add_incident(
        connection, endpoint_id=endpoint.endpoint_id, kind="expired", delivery_id=row.delivery_id, detail=why
    )


def _sending(connection: Connection, endpoint: Endpoint, alert_id: UUID, lane: Sequence[_Row]) -> Sending:
    newest = lane[-1]
    notice: AlertNotice | Heartbeat
    references: tuple[Reference, ...] = ()
    if newest.kind == "heartbeat":
        notice = msgspec.json.decode(newest.notice, type=Heartbeat)
        identifier = identifier_of(alert_id, newest.revision)
    else:
        notice = msgspec.json.decode(newest.notice, type=AlertNotice)
        identifier = _identifier(connection, endpoint.gb_prefix, alert_id, newest)
        had = referred([(one.revision, one.attempts) for one in lane[:-1]], notice.change)
        references = tuple(
            Reference(identifier=_identifier(connection, endpoint.gb_prefix, alert_id, one), at=one.at)
            for one in lane[:-1]
            if one.revision in had
        )
    return Sending(
        delivery_id=newest.delivery_id,
        kind=newest.kind,
        endpoint=endpoint.name,
        form=endpoint.form,
        identifier=identifier,
        references=references,
        notice=notice,
    )


def _identifier(connection: Connection, prefix: str | None, alert_id: UUID, row: _Row) -> str:
    number = _number(connection, prefix, alert_id, row) if prefix else None
    return identifier_of(alert_id, row.revision, number)


def _number(connection: Connection, prefix: str, alert_id: UUID, row: _Row) -> Number:
    """The number of a revision; the first free one from its second on when it has none."""
    key: dict[str, Any] = {"prefix": prefix, "alert_id": alert_id, "revision": row.revision}
    given = _SQL.number_of(connection, **key)
    if given is None:
        _SQL.lock_numbers(connection, prefix=prefix)
        given = _SQL.number_of(connection, **key)
    if given is None:
        second = row.at.replace(microsecond=0)
        taken = set(_SQL.numbers_from(connection, prefix=prefix, at=second))
        given = next(
            place
            for later in range(len(taken) + 1)
            for serial in range(SERIALS)
            if (place := (second + timedelta(seconds=later), serial)) not in taken
        )
        _SQL.give_number(connection, **key, at=given[0], serial=given[1])
    return Number(prefix=prefix, at=given[0], serial=given[1])


def _gone(connection: Connection, claim: Claim) -> bool:
    """410: this url is left alone until a person has looked. What waits goes to the other one, or waits."""
    endpoint = claim.endpoint
    _SQL.wait_until(connection, delivery_id=claim.sending.delivery_id, until=endpoint.now)
    found = _SQL.gone(connection, endpoint_id=endpoint.endpoint_id, url=claim.url)
    if found is None:
        return False
    name, state = found
    left = "it is paused" if state == "paused" else "the other url is used alone"
    _SQL.add_incident(
        connection,
        endpoint_id=endpoint.endpoint_id,
        kind="gone",
        delivery_id=claim.sending.delivery_id,
        detail=f"{claim.url} answered 410 (gone); {left}: ./citysense endpoint resume {name}",
    )
    return True
