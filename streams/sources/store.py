"""The slice of topic sources.health, and what the sweeps read of it. SQL only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
from msgspec.structs import astuple

from schemas.source import Health
from sql.connect import Connection
from sql.copy import not_streaming
from sql.named import named
from streams.sources.health import SourceHealth, apply
from streams.sources.silence import Judged, Report, SilenceLimits, judge, watching_since

_SQL = named("sources")


class SourceReports:
    """A cache of the sources' health, and the reports of a take. `write` is exactly once under the fence."""

    streaming = staticmethod(not_streaming)

    def __init__(self) -> None:
        self._known: dict[str, SourceHealth] = {}
        self._reports: list[Health] = []

    def forget(self) -> None:
        self._known.clear()
        self._reports.clear()

    def load(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int], register_version: int) -> None:
        """Nothing here: a source is loaded when it first reports."""

    def fold(self, partition: int, offset: int, schema: str, rows: Sequence[Any]) -> None:
        self._reports.extend(rows)

    def write(self, cursor: psycopg.Cursor[Any]) -> None:
        reports, self._reports = self._reports, []
        if not reports:
            return
        unknown = sorted({report.source for report in reports} - set(self._known))
        if unknown:
            self._known.update(load_health(cursor.connection, unknown))
        history: dict[tuple[str, datetime], SourceHealth] = {}
        for report in reports:
            after = self._known[report.source] = apply(self._known.get(report.source), report)
            if after.received_at == report.received_at:
                history[after.source, after.received_at] = after
        _put_health(cursor.connection, [self._known[source] for source in sorted({r.source for r in reports})])
        if history:
            _add_reports(cursor.connection, list(history.values()))


def load_health(connection: Connection, sources: Sequence[str]) -> dict[str, SourceHealth]:
    rows = _SQL.health_of(connection, sources=list(sources))
    return {row[0]: SourceHealth(**dict(zip(SourceHealth.__struct_fields__, row, strict=True))) for row in rows}


def judged_at(connection: Connection, at: datetime, limits: SilenceLimits) -> list[Judged]:
    """Every source that ever reported, as it stood at an instant of the log."""
    after = at - timedelta(seconds=limits.grace_s + limits.blind_s)
    times = [row[0] for row in _SQL.report_times(connection, after=after, at=at)]
    watching = watching_since(times, at, limits)
    reports = [
        Report(**dict(zip(Report.__struct_fields__, row, strict=True))) for row in _SQL.reports_at(connection, at=at)
    ]
    return [judge(report, at, watching, limits) for report in reports]


def lots_by_source(connection: Connection, at: datetime) -> dict[str, int]:
    return dict(_SQL.lots_by_source(connection, at=at))


def _put_health(connection: Connection, healths: Sequence[SourceHealth]) -> None:
    columns = dict(zip(SourceHealth.__struct_fields__, _columns(healths), strict=True))
    _SQL.put_health(connection, sources=columns.pop("source"), **columns)


def _add_reports(connection: Connection, healths: Sequence[SourceHealth]) -> None:
    reports = [msgspec.convert(health, Report, from_attributes=True) for health in healths]
    columns = dict(zip(Report.__struct_fields__, _columns(reports), strict=True))
    _SQL.add_reports(connection, sources=columns.pop("source"), **columns)


def _columns(records: Sequence[msgspec.Struct]) -> list[list[Any]]:
    return [list(column) for column in zip(*map(astuple, records), strict=True)]
