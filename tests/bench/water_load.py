"""Which readings of water does the bench send, and what is known of their stations? The same at every run. Pure.

Levels of rivers with four thresholds each. Most are calm; one series in two hundred is in flood, and of the readings a
few are late, jump, are outside of the range, are doubted by their source, or say that there is no value. So about one
reading in fifty is not quiet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.batch import SCHEMA_OF, encode
from schemas.topics import WATER_READINGS, partition_of, series_key
from schemas.water import StationReading
from schemas.water_registers import LEVELS, Station, Threshold, WaterRegister
from tests.bench.load import MINUTE, Part

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
SCHEMA = SCHEMA_OF[StationReading]
VALID_FROM = datetime(2026, 1, 1, tzinfo=UTC)
STATIONS_PER_SOURCE = 500
FLOODED = 200  # one series in so many rises over its thresholds
LATE, JUMPS, OUTSIDE, DOUBTED, VALUELESS = 200, 500, 1000, 1000, 1000  # one reading in so many
RISE_M = 0.06  # of a flood, each minute
ABOVE_DRY_M = (1.0, 1.2, 1.4, 1.6)  # where the levels begin


def key_of(number: int) -> tuple[str, str]:
    """(source, station) of a series."""
    return f"rivers-{number // STATIONS_PER_SOURCE:03d}", f"{44_000_000 + number:08d}"


def dry_m(number: int) -> float:
    return 2.0 + number % 700 / 100


def register(series: int) -> WaterRegister:
    """A station for each series, with its four thresholds."""
    stations, thresholds = [], []
    for number in range(series):
        source, station = key_of(number)
        dry = dry_m(number)
        stations.append(
            Station(
                station_id=f"rv-{number:05d}", valid_from=VALID_FROM, source=source, station=station, kind="river",
                name_zh=f"河道站{number}", name_en=f"river {number}", lat=22.55, lon=114.12, cadence_s=60.0,
                range_low=dry - 1.5, range_high=dry + 6.0, rate_limit_per_min=0.1, noise_p99=0.01,
            )
        )  # fmt: skip
        thresholds += [
            Threshold(
                station_id=f"rv-{number:05d}", hazard="flood", element="level_m", level=level, on=dry + above,
                off=dry + above - 0.1, confirm=1, source="bench", valid_from=VALID_FROM,
            )
            for level, above in zip(LEVELS, ABOVE_DRY_M, strict=True)
        ]  # fmt: skip
    return WaterRegister(stations=tuple(stations), thresholds=tuple(thresholds))


def reading(number: int, minute: int, start: datetime = START) -> StationReading:
    """What a series says in a minute."""
    source, station = key_of(number)
    observed_at = start + minute * MINUTE
    draw = (number * 7919 + minute * 104_729) % 10_007  # as good as drawn, the same at every run
    level = dry_m(number) + (number * 31 + minute * 17) % 23 / 1000
    said: dict[str, Any] = {"value": level, "quality": "good"}
    if number % FLOODED == 0:
        said["value"] = level + 0.8 + minute * RISE_M
    elif draw % JUMPS == 1:
        said["value"] = level + 3.0
    elif draw % OUTSIDE == 2:
        said["value"] = level + 60.0
    elif draw % DOUBTED == 3:
        said["quality"] = "suspect"
    elif draw % VALUELESS == 4:
        said |= {"value": None, "quality": "missing"}
    if said["value"] is not None:
        said["value"] = round(said["value"], 3)
    return StationReading(
        source=source,
        station=station,
        element="level_m",
        observed_at=observed_at,
        received_at=observed_at + timedelta(seconds=2 + number % 40, milliseconds=number % 997),
        raw_ref=f"{(number + 1) * (minute + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}",
        **said,
    )


def is_late(number: int, minute: int) -> bool:
    """Whether a reading comes after the one of the next minute."""
    return (number + 7 * minute) % LATE == 0


def partitions_of(series: int) -> list[list[int]]:
    """The series of each partition."""
    found: list[list[int]] = [[] for _ in range(WATER_READINGS.partitions)]
    for number in range(series):
        found[partition_of(series_key(*key_of(number)), WATER_READINGS.partitions)].append(number)
    return found


def records(series: int, minutes: int, rows_per_record: int) -> Iterator[Part]:
    """Minute by minute, each partition's rows in full records; what is late a minute later, what is left over last."""
    members = partitions_of(series)
    waiting: list[list[StationReading]] = [[] for _ in members]
    for minute in range(minutes + 1):
        for partition, numbers in enumerate(members):
            rows = waiting[partition]
            if minute < minutes:
                rows += [reading(number, minute) for number in numbers if not is_late(number, minute)]
            if minute:
                heard = timedelta(seconds=75)
                rows += [_heard(number, minute - 1, heard) for number in numbers if is_late(number, minute - 1)]
            full = len(rows) - len(rows) % rows_per_record
            for at in range(0, full, rows_per_record):
                yield _part(partition, rows[at : at + rows_per_record])
            del rows[:full]
    for partition, rows in enumerate(waiting):
        if rows:
            yield _part(partition, rows)


def _heard(number: int, minute: int, after: timedelta) -> StationReading:
    late = reading(number, minute)
    return msgspec.structs.replace(late, received_at=late.observed_at + after)


def _part(partition: int, rows: Sequence[StationReading]) -> Part:
    return Part(partition, encode(SCHEMA, list(rows)), len(rows))
