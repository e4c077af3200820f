"""Which rows does the bench send? Observations in the shapes that connectors make, the same at every run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.batch import SCHEMA_OF, encode
from schemas.parking import Observation
from schemas.topics import PARKING_OBSERVATIONS, partition_of, series_key

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SCHEMA = SCHEMA_OF[Observation]
SERIES_PER_SOURCE = 500
CLOSING = 97  # one in so many reports a closed car park


class Part:
    """A record for Kafka: its partition, its bytes and how many rows they hold."""

    __slots__ = ("partition", "rows", "value")

    def __init__(self, partition: int, value: bytes, rows: int) -> None:
        self.partition, self.value, self.rows = partition, value, rows


def key_of(number: int) -> tuple[str, str]:
    """(source, ref) of a series."""
    return f"city-{number // SERIES_PER_SOURCE:03d}", f"P{number:05d}"


def observation(number: int, minute: int, start: datetime = START) -> Observation:
    """What series `number` says in a minute: ten shapes, of which six are the plain one, as in the district's feeds."""
    source, ref = key_of(number)
    received_at = start + minute * MINUTE
    capacity = 40 + number * 7 % 460
    free = (number * 31 + minute * 17) % (capacity + 1)
    shape = number % 10
    told: dict[str, Any] = {"free": free, "capacity": capacity}
    if shape == 6:
        told |= {"occupied": capacity - free, "source_status": "open"}
    elif shape == 7:
        told |= {"source_status": "full" if free == 0 else "open"}
    elif shape == 8:
        told = {"free": free, "time_basis": "ingest"}
    elif shape == 9:
        told |= {"time_basis": "feed", "source_status": "open"}
    if number % CLOSING == 0:
        told |= {"mode": "closed", "source_status": "closed", "flags": ("closed_with_spaces",)}
    if shape != 8:
        told["observed_at"] = received_at - timedelta(seconds=1 + number % 50)
    return Observation(
        source=source,
        ref=ref,
        received_at=received_at,
        raw_ref=f"{(number // SERIES_PER_SOURCE + 1) * (minute + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}",
        **told,
    )


def partitions_of(series: int) -> list[list[int]]:
    """The series of each partition."""
    found: list[list[int]] = [[] for _ in range(PARKING_OBSERVATIONS.partitions)]
    for number in range(series):
        found[partition_of(series_key(*key_of(number)), PARKING_OBSERVATIONS.partitions)].append(number)
    return found


def records(series: int, minutes: int, rows_per_record: int, start: datetime = START) -> Iterator[Part]:
    """Minute by minute, each partition's rows in full records; what is left over goes last."""
    members = partitions_of(series)
    waiting: list[list[Observation]] = [[] for _ in members]
    for minute in range(minutes):
        for partition, numbers in enumerate(members):
            rows = waiting[partition]
            rows += [observation(number, minute, start) for number in numbers]
            full = len(rows) - len(rows) % rows_per_record
            for at in range(0, full, rows_per_record):
                yield _part(partition, rows[at : at + rows_per_record])
            del rows[:full]
    for partition, rows in enumerate(waiting):
        if rows:
            yield _part(partition, rows)


def _part(partition: int, rows: Sequence[Observation]) -> Part:
    return Part(partition, encode(SCHEMA, list(rows)), len(rows))
