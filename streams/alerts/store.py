"""Alerts in the database: the active ones out, the changes of an instant in. SQL only."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence

import msgspec

from sql.connect import Connection
from sql.named import named
from streams.alerts.episodes import Alert, Change, Subject
from streams.alerts.outbox_store import queue

_SQL = named("alerts")


def active(connection: Connection, domain: str, kinds: Sequence[str]) -> list[Alert]:
    return [
        Alert(
            alert_id=row[0],
            subject=Subject(row[1], row[2], row[3]),
            level=row[4],
            certainty=row[5],
            raised_at=row[6],
            ended_at=row[7],
            revision=row[8],
            sentence_zh=row[9],
            sentence_en=row[10],
            detail=row[11],
        )
        for row in _SQL.active(connection, domain=domain, kinds=list(kinds))
    ]


def write(connection: Connection, changes: Sequence[Change]) -> None:
    """Write changes in the order in which they happened. Promise: once, in the caller's transaction.

    The rows are locked in the order of their ids first. An alert that begins again from the same founding is the same
    alert: it is opened anew under its next revision. One that has ended in just this way before stays as it is, and
    nobody is told twice. Each change is queued for every endpoint that it concerns, in the same transaction.
    """
    list(_SQL.lock(connection, alert_ids=sorted({change.alert.alert_id for change in changes})))
    written = {}
    for places in _turns(changes):
        revisions = _put(connection, [changes[place] for place in places])
        for place in places:
            revision = revisions.get(changes[place].alert.alert_id)
            if revision is not None:
                written[place] = (changes[place], revision)
    queue(connection, [written[place] for place in sorted(written)])


def _turns(changes: Sequence[Change]) -> list[list[int]]:
    """The places of the first change of each subject, then of the second of those that have one, and so on."""
    turns: list[list[int]] = []
    so_far: Counter[Subject] = Counter()
    for place, change in enumerate(changes):
        subject = change.alert.subject
        if so_far[subject] == len(turns):
            turns.append([])
        turns[so_far[subject]].append(place)
        so_far[subject] += 1
    return turns


def _put(connection: Connection, changes: Sequence[Change]) -> dict[uuid.UUID, int]:
    """One change of each of many subjects; the revisions of the alerts now."""
    rows = [
        {
            **msgspec.structs.asdict(change.alert),
            **change.alert.subject._asdict(),
            "at": change.at,
            "change": change.change,
        }
        for change in changes
    ]
    return dict(_SQL.put(connection, rows=msgspec.json.encode(rows).decode()))
