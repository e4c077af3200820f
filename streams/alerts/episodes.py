"""Which alerts begin, change and end, given what is found now? The same for every domain, the same in every replay.

A finding says "this is so"; a clearing says "this is no longer so". What is neither found nor cleared is held as it
is: not knowing ends no alert. Ids are made of the founding instant, so a replay gives the same ids.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "citysense/alert")


class Subject(NamedTuple):
    """What can have one active alert at a time."""

    domain: str
    kind: str
    subject: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something is so since `founded_at`. `detail` holds what matters: another detail or level is a new revision."""

    subject: Subject
    founded_at: datetime
    level: int  # 1 blue .. 4 red
    certainty: str = "observed"
    sentence_zh: str
    sentence_en: str
    detail: dict[str, Any] = {}


class Clearing(msgspec.Struct, frozen=True, kw_only=True):
    subject: Subject
    sentence_zh: str
    sentence_en: str
    detail: dict[str, Any] = {}  # added to what the alert had


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A row of table alert."""

    alert_id: uuid.UUID
    subject: Subject
    level: int
    certainty: str
    raised_at: datetime
    ended_at: datetime | None = None
    revision: int = 1
    sentence_zh: str
    sentence_en: str
    detail: dict[str, Any] = {}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    change: Literal["raised", "updated", "ended"]
    at: datetime
    alert: Alert


def alert_id(subject: Subject, founded_at: datetime) -> uuid.UUID:
    """The same founding, the same id, in whatever zone the instant is written."""
    return uuid.uuid5(NAMESPACE, "\x1f".join((*subject, founded_at.astimezone(UTC).isoformat())))


def step(
    active: Iterable[Alert], findings: Iterable[Finding], clearings: Iterable[Clearing], at: datetime
) -> list[Change]:
    """The changes of this instant, in the order of their alert's id (the order in which rows are locked)."""
    open_alerts = {alert.subject: alert for alert in active}
    changes: dict[Subject, Change] = {}
    for finding in findings:
        alert = open_alerts.get(finding.subject)
        if alert is None:
            changes[finding.subject] = Change(change="raised", at=at, alert=_raised(finding, at))
        elif _differs(alert, finding):
            changes[finding.subject] = Change(change="updated", at=at, alert=_updated(alert, finding))
    for clearing in clearings:
        alert = open_alerts.get(clearing.subject)
        if alert is not None and clearing.subject not in changes:
            changes[clearing.subject] = Change(change="ended", at=at, alert=_ended(alert, clearing, at))
    return sorted(changes.values(), key=lambda change: change.alert.alert_id.bytes)


def _raised(finding: Finding, at: datetime) -> Alert:
    return Alert(
        alert_id=alert_id(finding.subject, finding.founded_at),
        subject=finding.subject,
        level=finding.level,
        certainty=finding.certainty,
        raised_at=at,
        sentence_zh=finding.sentence_zh,
        sentence_en=finding.sentence_en,
        detail=finding.detail,
    )


def _differs(alert: Alert, finding: Finding) -> bool:
    return (alert.level, alert.certainty, alert.detail) != (finding.level, finding.certainty, finding.detail)


def _updated(alert: Alert, finding: Finding) -> Alert:
    return msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        level=finding.level,
        certainty=finding.certainty,
        sentence_zh=finding.sentence_zh,
        sentence_en=finding.sentence_en,
        detail=finding.detail,
    )


def _ended(alert: Alert, clearing: Clearing, at: datetime) -> Alert:
    return msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        ended_at=at,
        sentence_zh=clearing.sentence_zh,
        sentence_en=clearing.sentence_en,
        detail={**alert.detail, **clearing.detail},
    )
