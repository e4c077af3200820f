"""Are the alerts those of the log, and does the receiver know how each of them stands?

Promise to a receiver: every revision of an alert comes at least once under its own id, or a later one that came took
its place; none comes after a later one; the last one comes, always; the same id is the same message; all are signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from schemas.water import StationReading
from schemas.water_registers import WaterRegister
from streams.water.replay import replay
from streams.water.revisions import as_change
from tests.chaos.receiver import Line
from tests.streams.water.river import ZONE

Standing = tuple[int, datetime | None, int]  # level, ended_at, revision
Event = tuple[int, datetime, str, int]  # revision, at, change, level


class Delivery(msgspec.Struct, frozen=True):
    """A row of table delivery."""

    message_id: str
    alert_id: str
    revision: int
    state: str


class AlertsAccount(msgspec.Struct, frozen=True, kw_only=True):
    expected: int  # alerts that the log makes, by the pure replay
    alerts: int  # in the database
    events: int  # their revisions
    differing: int  # alerts that are not on both sides alike: id, level, end, revision
    retold: int  # alerts whose revisions, one after the other, are not those of the replay
    unqueued: int  # revisions that no delivery tells of
    delivered: int  # by the word of the sender
    superseded: int
    came: int  # messages, repetitions too
    undelivered: int  # revisions of which neither they nor a later one were answered with a 2xx
    last_missing: int  # alerts whose last revision was not
    backward: int  # messages that came after a later revision of their alert
    changed: int  # ids under which two different messages came
    misstated: int  # delivered by the word of the sender, and the receiver gave no 2xx
    unsigned: int

    @property
    def balances(self) -> bool:
        return not (
            self.differing
            or self.retold
            or self.unqueued
            or self.undelivered
            or self.last_missing
            or self.backward
            or self.changed
            or self.misstated
            or self.unsigned
        )


def expected(
    log: Sequence[StationReading], register: WaterRegister
) -> tuple[dict[UUID, Standing], dict[UUID, list[Event]]]:
    """How each alert stands at the end of the log, and its revisions."""
    found = replay(log, register, ZONE)
    standing: dict[UUID, Standing] = {}
    events: dict[UUID, list[Event]] = {}
    for change in [*map(as_change, found.changes), *found.forecasts]:
        alert = change.alert
        standing[alert.alert_id] = (alert.level, alert.ended_at, alert.revision)
        events.setdefault(alert.alert_id, []).append((alert.revision, change.at, change.change, alert.level))
    return standing, events


def settle_alerts(
    wanted: tuple[Mapping[UUID, Standing], Mapping[UUID, Sequence[Event]]],
    stored: tuple[Mapping[UUID, Standing], Mapping[UUID, Sequence[Event]]],
    deliveries: Sequence[Delivery],
    told: Iterable[Line],
) -> AlertsAccount:
    """`told` is what the receiver wrote down, in its order."""
    answered: dict[str, set[int]] = {}
    answered_ids: set[str] = set()
    newest: dict[str, int] = {}
    digests: dict[str, set[str]] = {}
    came = backward = unsigned = 0
    for line in told:
        if line.what == "unsigned":
            unsigned += 1
        elif line.what == "answered":
            answered.setdefault(line.alert_id, set()).add(line.revision)
            answered_ids.add(line.message_id)
        elif line.alert_id:
            came += 1
            digests.setdefault(line.message_id, set()).add(line.digest)
            backward += line.revision < newest.get(line.alert_id, 0)
            newest[line.alert_id] = max(line.revision, newest.get(line.alert_id, 0))
    standing, events = stored
    queued = {(one.alert_id, one.revision) for one in deliveries}
    due = {str(alert_id): _due(each) for alert_id, each in events.items() if _due(each)}
    revisions = {(alert_id, revision) for alert_id, each in due.items() for revision in each}
    best = {alert_id: max(found) for alert_id, found in answered.items()}
    return AlertsAccount(
        expected=len(wanted[0]),
        alerts=len(standing),
        events=sum(map(len, events.values())),
        differing=sum(wanted[0].get(one) != standing.get(one) for one in wanted[0].keys() | standing.keys()),
        retold=sum(
            list(wanted[1].get(one, ())) != list(events.get(one, ())) for one in wanted[1].keys() | events.keys()
        ),
        unqueued=len(revisions - queued),
        delivered=sum(one.state == "delivered" for one in deliveries),
        superseded=sum(one.state == "superseded" for one in deliveries),
        came=came,
        undelivered=sum(best.get(alert_id, 0) < revision for alert_id, revision in revisions),
        last_missing=sum(best.get(alert_id, 0) != max(each) for alert_id, each in due.items()),
        backward=backward,
        changed=sum(len(found) > 1 for found in digests.values()),
        misstated=sum(one.state == "delivered" and one.message_id not in answered_ids for one in deliveries),
        unsigned=unsigned,
    )


def _due(events: Sequence[Event]) -> list[int]:
    """The revisions that must be told: an alert that was over before anybody heard of it is no news."""
    first = next((place for place, event in enumerate(events) if event[2] != "ended"), len(events))
    return [event[0] for event in events[first:]]
