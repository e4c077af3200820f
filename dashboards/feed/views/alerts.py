"""What is wrong with the data now, or was within a day? alerts.json."""

from __future__ import annotations

from dashboards.feed.records import AlertRecord, AlertsData
from dashboards.feed.snapshot import Alert, Snapshot
from dashboards.feed.views.envelope import of_minute


def alerts(snapshot: Snapshot) -> bytes:
    return of_minute(snapshot, AlertsData(alerts=tuple(_alert(alert, snapshot) for alert in snapshot.alerts)))


def _alert(alert: Alert, snapshot: Snapshot) -> AlertRecord:
    return AlertRecord(
        alert_id=alert.alert_id,
        kind=alert.kind,
        subject=alert.subject,
        level=alert.level,
        certainty=alert.certainty,
        raised_at=snapshot.local(alert.raised_at),
        ended_at=snapshot.local_or_none(alert.ended_at),
        sentence_zh=alert.sentence_zh,
        sentence_en=alert.sentence_en,
    )
