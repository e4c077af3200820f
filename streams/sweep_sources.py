"""Which sources fell silent or came back, and does the log itself stand still? One transaction for each log minute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from schemas.settings import Settings
from schemas.topics import PARKING_OBSERVATIONS, SOURCES_HEALTH, WATER_READINGS
from sql.connect import Connection
from sql.named import named
from streams.alerts import store as alerts
from streams.alerts.episodes import Clearing, Finding, step
from streams.parking.due import MINUTE, ceil_minute
from streams.sources import pipeline
from streams.sources.silence import KIND, SilenceLimits, findings, retired
from streams.sources.store import judged_at, lots_by_source

_SQL = named("sources")
DOMAIN = "platform"
SWEEP = "silence"
WATCHED = (PARKING_OBSERVATIONS.name, WATER_READINGS.name, SOURCES_HEALTH.name)


class Sources(msgspec.Struct, frozen=True):
    """What the sweep over sources knows from the settings."""

    limits: SilenceLimits
    zone: ZoneInfo
    switched_off: frozenset[str]
    catchup: timedelta
    pipeline_late_s: float

    @classmethod
    def of(cls, settings: Settings) -> Sources:
        parking, sweeps = settings.parking, settings.sweeps
        return cls(
            limits=SilenceLimits(
                factor=parking.silent_factor,
                least_s=parking.silent_min_s,
                grace_s=parking.startup_grace_s,
                blind_s=sweeps.blind_s,
                cadence_s=parking.cadence_s,
            ),
            zone=ZoneInfo(settings.district.time_zone),
            switched_off=frozenset(source.name for source in settings.sources if not source.enabled),
            catchup=timedelta(hours=sweeps.catchup_hours),
            pipeline_late_s=sweeps.pipeline_late_s,
        )


def judge_next(connection: Connection, sources: Sources) -> datetime | None:
    """Judge the next minute of the log that the clock of sources.health has passed; None when there is none yet."""
    clock = clock_of(connection, SOURCES_HEALTH.name)
    if clock is None:
        return None
    with connection.transaction():
        last = _SQL.progress(connection, sweep=SWEEP)
        if last is None:
            first = _SQL.first_report(connection)
            if first is None:
                return None
            last = ceil_minute(first) - MINUTE
        minute: datetime = max(last + MINUTE, ceil_minute(clock - sources.catchup))
        if minute >= clock:
            return None
        judged = judged_at(connection, minute, sources.limits)
        lots = lots_by_source(connection, minute)
        found, cleared = findings(judged, lots, minute, sources.zone)
        off = sources.switched_off
        found = [finding for finding in found if finding.subject.subject not in off]
        cleared += [retired(source) for source in sorted(off)]
        _write(connection, KIND, found, cleared, minute)
        _SQL.put_progress(connection, sweep=SWEEP, at=minute)
    return minute


def judge_pipeline(connection: Connection, sources: Sources, wall: datetime) -> None:
    """Is the clock of a topic far behind the wall? This alert is about the wall, and is the only one that is."""
    clocks = {topic: clock_of(connection, topic) for topic in WATCHED}
    found, cleared = pipeline.findings(clocks, wall, sources.pipeline_late_s, sources.zone)
    with connection.transaction():
        _write(connection, pipeline.KIND, found, cleared, wall)


def clock_of(connection: Connection, topic: str) -> datetime | None:
    """The least clock of a topic's partitions: its now. None while a partition has none."""
    clocks = [clock for _, _, _, clock in _SQL.clocks(connection, topics=[topic])]
    return None if not clocks or None in clocks else min(clocks)


def _write(
    connection: Connection, kind: str, found: Sequence[Finding], cleared: Sequence[Clearing], at: datetime
) -> None:
    alerts.write(connection, step(alerts.active(connection, DOMAIN, [kind]), found, cleared, at))
