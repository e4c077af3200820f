"""Which readings are those of a time range of the database, under which register? Reads; writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from schemas.settings import Settings
from schemas.water_registers import Threshold, WaterRegister
from sql.connect import Connection, connect
from sql.registers import read_water, read_water_files
from streams.water import replay_store
from streams.water.columns import Columns
from streams.water.rehearsal import FileError, with_thresholds
from streams.water.replay import Replayed, play, table_of
from streams.water.ring import Ring
from streams.water.rules import instant, micros
from streams.water.series import SeriesTable

WARM_UP: Final = timedelta(days=2)  # before the range: the sums of a gauge look back a day, late data another
BEFORE_AN_ALERT: Final = timedelta(days=1)  # .. and so long before the beginning of what stood then
LONGEST_WARM_UP: Final = timedelta(days=31)
LONG_MS: Final = 15 * 60_000  # the database puts a month in order before it gives the first row
Say = Callable[[str], None]


class Range(msgspec.Struct, frozen=True):
    """[since, until), by when the readings were received."""

    since: datetime
    until: datetime


def range_of(since: str, until: str, zone: ZoneInfo, say: Say) -> Range:
    """Raises FileError."""
    if not (since and until):
        raise FileError("a range of the database needs --from and --to, as in --from 2026-06-01 --to 2026-07-01")
    found = Range(_instant("--from", since, zone, say), _instant("--to", until, zone, say))
    if found.since >= found.until:
        raise FileError(f"--to {until} is not after --from {since}")
    return found


def _instant(name: str, text: str, zone: ZoneInfo, say: Say) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        advice = "write it as 2026-06-01 or 2026-06-01T08:00+08:00"
        raise FileError(f"{name} {text}: {advice} ({error})") from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
        say(f"{name} {text} names no zone: taken as {at.isoformat()} ({zone.key})")
    return at


def register_files(directory: Path, settings: Settings, say: Say) -> WaterRegister:
    """The CSV files of `./citysense register load`. Raises FileError when no station is left of them."""
    files = {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.suffix == ".csv"}
    zone = ZoneInfo(settings.district.time_zone)
    register, problems = read_water_files(files, zone=zone, box=settings.district.bbox)
    for each in problems:
        say(f"{each.file}:{each.line} {each.field}: {each.problem}")
    if not register.stations:
        raise FileError(f"--registers {directory}: no station is in its stations.csv")
    return register


def replay_range(
    settings: Settings,
    asked: Range,
    thresholds: Sequence[Threshold],
    register: WaterRegister | None,
    at_most: int,
    say: Say,
) -> Replayed:
    """What would have been alerted in the range. Raises FileError, psycopg.OperationalError."""
    zone = ZoneInfo(settings.district.time_zone)
    with closing(connect(settings.dsn("streams"), statement_timeout_ms=LONG_MS)) as connection:
        connection.read_only = True
        with connection.transaction():
            used = read_water(connection) if register is None else register
            if thresholds:
                used = with_thresholds(used, thresholds)
            if not used.thresholds:
                raise FileError(
                    "the register has no thresholds: load some (./citysense register load) or give --thresholds CSV"
                )
            table = table_of(used, zone, Ring(keeps=True))
            slots = _slots(table, replay_store.series(connection))
            _name_silent(table, slots, say)
            since = _warm_up(connection, asked.since, say)
            takes = replay_store.takes(connection, slots, since, asked.until, at_most + 1)
            return play(table, _with_progress(takes, at_most, zone, say), micros(asked.since))


def _slots(table: SeriesTable, numbers: Mapping[tuple[str, str, str], int]) -> dict[int, int]:
    """Number to slot of the series that thresholds are about."""
    judged = {slot for slot, rules in enumerate(table.rules) if any(period.hazards for period in rules.periods)}
    return {numbers[key]: slot for key, slot in table.slots.items() if slot in judged and key in numbers}


def _name_silent(table: SeriesTable, slots: Mapping[int, int], say: Say) -> None:
    """Raises FileError when there is nothing to judge at all."""
    heard = {table.rules[slot].station_id for slot in slots.values()}
    asked = {rules.station_id for rules in table.rules if any(period.hazards for period in rules.periods)}
    if not asked & heard:
        raise FileError("no station that has thresholds ever reported to this database: is its `station` right?")
    if silent := sorted(asked - heard):
        say(f"{len(silent)} stations with thresholds never reported: {', '.join(silent[:10])}")


def _warm_up(connection: Connection, at: datetime, say: Say) -> datetime:
    """From when to read so that the state is right at the beginning of the range."""
    standing = replay_store.standing_since(connection, at)
    since = at - WARM_UP if standing is None else min(at - WARM_UP, standing - BEFORE_AN_ALERT)
    since = max(since, at - LONGEST_WARM_UP)
    days = (at - since) / timedelta(days=1)
    why = "" if standing is None else "; an alert stood at --from"
    say(f"warm-up: {days:.1f} days before --from are read to know the state there{why}; nothing of them is counted")
    return since


def _with_progress(takes: Iterator[Columns], at_most: int, zone: ZoneInfo, say: Say) -> Iterator[Columns]:
    readings, day = 0, ""
    for columns in takes:
        readings += len(columns)
        if readings > at_most:
            raise FileError(
                f"there are more than {at_most:,} readings: ask for a shorter time, for fewer stations (--thresholds"
                " with those alone), or for more with --at-most"
            )
        newest = f"{instant(int(np.max(columns.received))).astimezone(zone):%Y-%m-%d}"
        if newest != day:
            day = newest
            say(f"{day}: {readings:,} readings so far")
        yield columns
