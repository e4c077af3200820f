"""Alerts in the database: the active ones out, the changes of an instant in. SQL only."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.types.json import Jsonb

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
    written = []
    for change in changes:
        alert = change.alert
        revision = _SQL.put_alert(
            connection,
            alert_id=alert.alert_id,
            domain=alert.subject.domain,
            kind=alert.subject.kind,
            subject=alert.subject.subject,
            level=alert.level,
            certainty=alert.certainty,
            raised_at=alert.raised_at,
            ended_at=alert.ended_at,
            revision=alert.revision,
            sentence_zh=alert.sentence_zh,
            sentence_en=alert.sentence_en,
            detail=Jsonb(alert.detail),
        )
        if revision is None:
            continue
        _SQL.add_event(
            connection,
            alert_id=alert.alert_id,
            at=change.at,
            change=change.change,
            level=alert.level,
            detail=Jsonb(alert.detail),
        )
        written.append((change, revision))
    queue(connection, written)
