"""What do we know of a source, after everything that its routes reported?"""

from __future__ import annotations

from datetime import datetime

import msgspec

from schemas.source import Health


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A row of source_health. Counts since the first report; the rest as of the newest one."""

    source: str
    received_at: datetime  # of the newest report applied
    first_report_at: datetime
    polls: int = 0
    failures: int = 0
    rows: int = 0
    rejects: int = 0
    spooled: int = 0
    last_success_at: datetime | None = None
    newest_observed_at: datetime | None = None
    cadence_s: float | None = None
    error: str | None = None


def apply(current: SourceHealth | None, row: Health) -> SourceHealth:
    """The health after a report. Counts always add; a report that is older than the newest moves nothing backward.

    A connector that starts again knows of no success yet: that does not take back the one it had before.
    """
    if current is None:
        return SourceHealth(**{**msgspec.structs.asdict(row), "first_report_at": row.received_at})
    is_newest = row.received_at >= current.received_at
    return SourceHealth(
        source=current.source,
        received_at=max(current.received_at, row.received_at),
        first_report_at=min(current.first_report_at, row.received_at),
        polls=current.polls + row.polls,
        failures=current.failures + row.failures,
        rows=current.rows + row.rows,
        rejects=current.rejects + row.rejects,
        spooled=current.spooled + row.spooled,
        last_success_at=_later(current.last_success_at, row.last_success_at),
        newest_observed_at=_later(current.newest_observed_at, row.newest_observed_at),
        cadence_s=row.cadence_s if is_newest and row.cadence_s is not None else current.cadence_s,
        error=row.error if is_newest else current.error,
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)
