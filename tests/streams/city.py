"""A small city for tests of sweeps: what the registers and the ledger would have put into the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.parking import Observation
from schemas.settings import Settings
from schemas.source import Health
from schemas.topics import PARKING_OBSERVATIONS, SOURCES_HEALTH, partition_of, series_key
from sql.connect import Connection
from streams.parking.observations import Observations
from streams.sources.store import SourceReports

LOTS = 6
SOURCE = "op-jst"
PARTITIONS = range(PARKING_OBSERVATIONS.partitions)


def found(owner: Connection, lots: int = LOTS) -> None:
    """Register lots of 50 spaces in one subdistrict, all of one source."""
    owner.execute("insert into subdistrict values ('gy', '桂园', 'Guiyuan', '{}')")
    for number in range(lots):
        owner.execute(
            "insert into lot (lot_id, version, valid_from, name_zh, name_en, subdistrict_code, kind, lat, lon)"
            " values (%s, 1, '2020-01-01', 'x', 'x', 'gy', 'garage', 22.55, 114.1)",
            (f"lh-{number}",),
        )
        owner.execute(
            "insert into lot_source (source, ref, lot_id, valid_from) values (%s, %s, %s, '2020-01-01')",
            (SOURCE, f"r{number}", f"lh-{number}"),
        )
        owner.execute(
            "insert into pool (lot_id, pool, version, audience, capacity, valid_from)"
            " values (%s, 'public', 1, 'public', 50, '2020-01-01')",
            (f"lh-{number}",),
        )
    owner.execute("update register_version set version = version + 1")


def readings(start: datetime, minutes: int, lots: Iterable[int] = range(LOTS)) -> list[Observation]:
    """One count of each lot a minute, observed 20 s before the minute and received 5 s later; they fill slowly."""
    return [
        Observation(
            source=SOURCE,
            ref=f"r{lot}",
            free=max(0, 40 - lot - minute // 3),
            capacity=50,
            observed_at=start + timedelta(minutes=minute, seconds=-20),
            received_at=start + timedelta(minutes=minute, seconds=-15),
        )
        for minute in range(minutes)
        for lot in lots
    ]


def health(start: datetime, minutes: int) -> list[Health]:
    """A report of the source every 15 s."""
    times = [start + timedelta(seconds=15 * step - 60) for step in range(4 * (minutes + 1))]
    return [Health(source=SOURCE, received_at=at, polls=1, last_success_at=at, cadence_s=60.0) for at in times]


def apply(
    connection: Connection, rows: Sequence[Observation], clock: datetime | None, partitions: Iterable[int] = PARTITIONS
) -> None:
    """What the ledger does with takes of some partitions: their rows, and their clocks."""
    wanted = set(partitions)
    mine = [row for row in rows if partition_of(series_key(row.source, row.ref), len(PARTITIONS)) in wanted]
    domain = Observations(Settings())
    with connection.transaction(), connection.cursor() as cursor:
        domain.load(cursor, list(PARTITIONS), 0)
        with domain.streaming(cursor):
            domain.fold(0, 0, "parking.observation.v1", mine)
        domain.write(cursor)
        for partition in sorted(wanted):
            move_clock(connection, PARKING_OBSERVATIONS.name, partition, clock, len(mine))


def report(connection: Connection, rows: Sequence[Health], clock: datetime) -> None:
    domain = SourceReports()
    with connection.transaction(), connection.cursor() as cursor:
        domain.fold(0, 0, "source.health.v1", rows)
        domain.write(cursor)
        move_clock(connection, SOURCES_HEALTH.name, 0, clock, len(rows))


def move_clock(connection: Connection, topic: str, partition: int, clock: datetime | None, offsets: int = 1) -> None:
    connection.execute(
        "insert into stream_fence (topic, partition, topic_id, next_offset, clock) values (%s, %s, 'log', %s, %s)"
        " on conflict (topic, partition) do update set next_offset = stream_fence.next_offset + excluded.next_offset,"
        " clock = greatest(stream_fence.clock, excluded.clock)",
        (topic, partition, offsets, clock),
    )


def stored_minutes(connection: Connection) -> list[tuple[Any, ...]]:
    """The newest revision of every minute: the lots as stored, without the number of the revision."""
    return connection.execute(
        "select distinct on (minute, lot_id) to_jsonb(m) - 'revision' from parking_minute as m"
        " order by minute, lot_id, revision desc"
    ).fetchall()


def runs(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select minute, revision, is_late, content_seq from parking_minute_run order by minute, revision"
    ).fetchall()


def now_floor() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)
