"""What does a hydrograph stand for, when only thresholds are known of its stations? A register made of both.

What the register of the city knows of a station is learned from the record itself: its cadence is the median step, its
rate limit 1.5 times the steepest rise that lasted (the record without what comes and goes within two samples).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
import numpy as np

from schemas.fields import EARLIEST
from schemas.water import StationReading
from schemas.water_registers import LEVELS, Hazard, Station, StationKind, Threshold, WaterRegister
from streams.water.qartod import Floats, Ints
from streams.water.rules import MINUTE, RAIN_SUM_PREFIX, SECOND, micros

RATE_FACTOR: Final = 1.5  # water.md 2.3
ENOUGH: Final = 20  # fewer samples teach nothing
HYDROGRAPH: Final = ("time", "station", "element", "value")
THRESHOLDS: Final = ("station", "element", "level", "on", "off", "confirm", "hold_min", "source")
_HAZARD_OF: Final[dict[str, Hazard]] = {"rain_total_mm": "rain", "depth_m": "ponding"}

_HAZARD_OF_KIND: Final[dict[StationKind, Hazard]] = {
    "pipe_node": "surcharge", "street": "ponding", "underpass": "ponding", "rain": "rain",
}  # fmt: skip
_USUAL_WAIT_S: Final = 120.0  # as a register's row that does not say it


class FileError(ValueError):
    """A line that cannot be read; the message names file, line and column."""


def read_hydrograph(text: str, file: str, source: str, heard_until: datetime = EARLIEST) -> list[StationReading]:
    """Rows in the order in which they arrived: what is received is the newest time heard so far.

    An empty value is "no value". Raises FileError.
    """
    rows = []
    clock = heard_until
    for number, row in _rows(text, file, HYDROGRAPH):
        at = _instant(row["time"], file, number)
        value = None if row["value"] in ("", "nan", "NaN") else _number(row["value"], file, number, "value")
        clock = max(clock, at)
        rows.append(
            StationReading(
                source=source,
                station=row["station"],
                element=row["element"],  # type: ignore[arg-type] # a rehearsal may name any quantity
                observed_at=at,
                received_at=clock,
                value=value,
                quality="missing" if value is None else "unknown",
            )
        )
    return rows


def read_thresholds(text: str, file: str) -> list[Threshold]:
    """The register's columns. Raises FileError."""
    found = []
    for number, row in _rows(text, file, THRESHOLDS):
        level = row["level"].lower()
        if level not in LEVELS:
            raise FileError(f"{file}:{number} level: {row['level']} is none of {', '.join(LEVELS)}")
        on, off = _number(row["on"], file, number, "on"), _number(row["off"], file, number, "off")
        if off > on:
            raise FileError(f"{file}:{number} off: {off} is over on, {on}")
        element = row["element"]
        is_rain = element.startswith(RAIN_SUM_PREFIX)
        found.append(
            Threshold(
                station_id=row["station"],
                hazard="rain" if is_rain else _HAZARD_OF.get(element, "flood"),
                element=element,
                level=level,
                on=on,
                off=off,
                confirm=round(_number(row["confirm"] or "1", file, number, "confirm")),
                confirm_max_s=1e9,  # the file counts samples, however long they take
                hold_min=_number(row["hold_min"] or "30", file, number, "hold_min"),
                source=row["source"],
                valid_from=EARLIEST,
            )
        )
    return found


def judged_element(element: str) -> str:
    """What a station reports when a threshold is on this: sums of rain are of its count."""
    return "rain_total_mm" if element.startswith(RAIN_SUM_PREFIX) else element


def register_of(readings: Sequence[StationReading], thresholds: Sequence[Threshold]) -> WaterRegister:
    """A station for each one that the thresholds name, with what its own record teaches."""
    records = records_of(readings)
    stations = []
    for station_id in sorted({each.station_id for each in thresholds}):
        own = [each for each in thresholds if each.station_id == station_id]
        element = judged_element(own[0].element)
        source = next((key[0] for key in records if key[1] == station_id and key[2] == element), "")
        ats, values = records.get((source, station_id, element), (np.zeros(0, np.int64), np.zeros(0)))
        rate = rate_limit(ats, values) if element != "rain_total_mm" else None
        stations.append(
            Station(
                station_id=station_id,
                valid_from=EARLIEST,
                source=source,
                station=station_id,
                name_zh=station_id,
                name_en=station_id,
                kind=_kind(own),
                lat=0.0,
                lon=0.0,
                element=element,
                cadence_s=float(np.median(np.diff(ats))) / SECOND if len(ats) > 1 else 300.0,
                rate_limit_per_min=rate,
            )
        )
    return WaterRegister(stations=tuple(stations), thresholds=tuple(thresholds))


def with_thresholds(register: WaterRegister, thresholds: Sequence[Threshold]) -> WaterRegister:
    """The register with these thresholds instead of its own; what the file does not say is as it was there.

    Raises FileError for a station that the register does not know.
    """
    kinds = {station.station_id: station.kind for station in register.stations}
    by_reporter: dict[str, set[str]] = {}
    for station in register.stations:
        by_reporter.setdefault(station.station, set()).add(station.station_id)
    own = register.thresholds
    hazards = {(each.station_id, each.element): each.hazard for each in own}
    waits = {(each.station_id, each.hazard, each.element, each.level): each.confirm_max_s for each in own}
    found = []
    for each in thresholds:
        named = {each.station_id} if each.station_id in kinds else by_reporter.get(each.station_id, set())
        if len(named) != 1:
            raise FileError(f"thresholds: station {each.station_id} is no station_id of the register")
        (station_id,) = named
        by_kind = each.hazard if each.hazard == "rain" else _HAZARD_OF_KIND.get(kinds[station_id], "flood")
        hazard = hazards.get((station_id, each.element), by_kind)
        wait = waits.get((station_id, hazard, each.element, each.level), _USUAL_WAIT_S)
        found.append(msgspec.structs.replace(each, station_id=station_id, hazard=hazard, confirm_max_s=wait))
    return msgspec.structs.replace(register, thresholds=tuple(found))


def _kind(thresholds: Sequence[Threshold]) -> StationKind:
    hazard = thresholds[0].hazard
    return "rain" if hazard == "rain" else "street" if hazard == "ponding" else "river"


def records_of(readings: Iterable[StationReading]) -> dict[tuple[str, str, str], tuple[Ints, Floats]]:
    """Each series in the order of its own times; of two words about a time the later, of equals the higher."""
    said: dict[tuple[str, str, str], dict[int, tuple[datetime, float]]] = {}
    for row in readings:
        if row.value is not None:
            points = said.setdefault((row.source, row.station, row.element), {})
            word = (row.received_at, row.value)
            at = micros(row.observed_at)
            points[at] = max(points[at], word) if at in points else word
    return {key: _in_order(points) for key, points in said.items()}


def _in_order(points: Mapping[int, tuple[datetime, float]]) -> tuple[Ints, Floats]:
    ats = sorted(points)
    return np.array(ats, np.int64), np.array([points[at][1] for at in ats])


def rate_limit(ats: Ints, values: Floats) -> float | None:
    """In units of the value a minute; None while the record is too short to teach it."""
    if len(values) < ENOUGH:
        return None
    lasting = np.median(np.lib.stride_tricks.sliding_window_view(values, 5), axis=1)
    steps = np.abs(np.diff(lasting)) / (np.diff(ats[2:-2]) / MINUTE)
    steepest = float(steps.max(initial=0.0))
    return RATE_FACTOR * steepest if steepest > 0 else None


def _rows(text: str, file: str, columns: Sequence[str]) -> Iterable[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("﻿")))
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise FileError(f"{file}:1 there is no column {', '.join(missing)}")
    for row in reader:
        yield reader.line_num, {name: (row[name] or "").strip() for name in columns}


def _number(text: str, file: str, line: int, column: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise FileError(f"{file}:{line} {column}: {text!r} is no number")
    return number


def _instant(text: str, file: str, line: int) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise FileError(f"{file}:{line} time: {error}") from error
    if at.tzinfo is None:
        raise FileError(f"{file}:{line} time: say the zone too, as in 2026-11-24T10:30:00+08:00")
    return at


def is_recording(readings: Sequence[StationReading]) -> bool:
    """Whether all say that they were received at once, which is when the record was read and not when it was made."""
    return len(readings) > 1 and len({each.received_at for each in readings}) == 1


def in_order_of_arrival(readings: Sequence[StationReading]) -> list[StationReading]:
    """Each received at the newest time heard until then: all that a recording says of its own clock."""
    clock = EARLIEST
    heard = []
    for each in readings:
        clock = max(clock, each.observed_at)
        heard.append(msgspec.structs.replace(each, received_at=clock))
    return heard
