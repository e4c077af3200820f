"""What travels about water: readings as a table of columns, and the tests that stations send of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Any, Literal

import msgspec

from schemas.fields import EARLIEST, FUTURE_LIMIT, Id, Instant, Word, check_instant

# Elements and their units; a station reports each as a series of its own. SI, but for rain in mm (WMO-No. 8).
Element = Literal[
    "level_m",  # water level above the station's datum
    "level_relative_m",  # above the station's reference value, which is not known (SL 651 F5)
    "level_above_gate_m",  # upstream of a sluice or dam
    "level_below_gate_m",
    "depth_m",  # water above the bed, the road, or the invert
    "distance_m",  # from a downward looking sensor to the water: becomes a level by the register's mount height
    "flow_m3s",
    "velocity_ms",
    "rain_total_mm",  # a counter that only grows, until it resets
    "rain_day_mm",  # a counter that resets at the day start: never an intensity
    "rain_1min_mm",
    "rain_5min_mm",  # what fell in the 5 minutes that end at observed_at
    "rain_10min_mm",
    "rain_15min_mm",
    "rain_30min_mm",
    "rain_1h_mm",
    "rain_2h_mm",
    "rain_3h_mm",
    "rain_6h_mm",
    "rain_12h_mm",
    "rain_24h_mm",
    "voltage_v",
    "battery_pct",
    "temperature_c",
    "pump_running",  # 0 or 1
    "gate_opening_m",
    "status_bits",  # SL 651 element 45, as a number
    "other",  # what has no word of ours: `code` says what it is at its source
]
# What the source itself says of a value.
SourceQuality = Literal["good", "suspect", "fail", "missing", "unknown"]
Number = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


class WaterReadings(msgspec.Struct, frozen=True, kw_only=True):
    """Readings as columns of equal length, one place a reading: the contract with a high rate.

    value null is "the station says that it has no value" (SL 651 `AAAA`, FFFF): a reading of its own. Zero is a level.
    basis tells how observed_at was found: the station's clock, the network's, or (clock) ours, because theirs is wrong.
    """

    source: list[Id]
    station: list[Id]  # the source's own id of the station or device
    element: list[Element]
    observed_at: list[Instant]
    received_at: list[Instant]
    value: list[Number | None]
    quality: list[SourceQuality]
    flags: list[Word | None]  # one word or several joined by commas: clock, backfill, held_by_device, threshold
    raw_ref: list[Word | None]
    code: list[Word | None] = []  # of element `other`: what it is at its source; a record without the column has none

    def __post_init__(self) -> None:
        if not self.code and self.station:
            msgspec.structs.force_setattr(self, "code", [None] * len(self.station))

    def __len__(self) -> int:
        return len(self.station)

    def faults(self) -> dict[int, str]:
        """Which places break what types cannot say, and how. All of them when the columns differ in length."""
        lengths = {len(getattr(self, name)) for name in self.__struct_fields__}
        if len(lengths) != 1:
            return {-1: f"columns of {sorted(lengths)} places"}
        wrong: dict[int, str] = {}
        if not len(self):
            return wrong
        if min(self.observed_at) >= EARLIEST and max(self.observed_at) <= min(self.received_at) + FUTURE_LIMIT:
            return wrong  # all are, as almost always
        for place, (at, received_at) in enumerate(zip(self.observed_at, self.received_at, strict=True)):
            if not EARLIEST <= at <= received_at + FUTURE_LIMIT:
                wrong[place] = f"observed_at {at.isoformat()} is not within 2015 .. received_at + 1 day"
        return wrong

    def newest(self) -> datetime:
        """The newest received_at. There must be one."""
        return max(self.received_at)

    def at_places(self, places: Sequence[int]) -> WaterReadings:
        columns = {name: [getattr(self, name)[place] for place in places] for name in self.__struct_fields__}
        return WaterReadings(**columns)

    def rows(self) -> list[StationReading]:
        """The readings one by one, as they were before they became columns."""
        places = zip(*(getattr(self, name) for name in self.__struct_fields__), strict=True)
        return [_reading_of(place) for place in places]


class StationReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading as decoders make it; the publisher turns those of one partition into columns."""

    source: Id
    station: Id
    element: Element
    observed_at: Instant
    received_at: Instant
    value: Number | None
    quality: SourceQuality = "unknown"
    flags: tuple[Word, ...] = ()
    raw_ref: Word | None = None
    code: Word | None = None  # of element `other`: the source's own name of it, and part of the series


class StationTest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A test report of a station (SL 651 function 30): kept apart, never a reading."""

    source: Id
    station: Id
    observed_at: Instant | None = None
    received_at: Instant
    serial: int | None = None
    elements: dict[str, Any] = {}
    raw_ref: Word | None = None


def check(reading: StationReading) -> None:
    """Raise ValueError when a reading breaks what its types cannot say: its time, and flags that fit in one word."""
    check_instant("observed_at", reading.observed_at, reading.received_at)
    if reading.flags and (len(",".join(reading.flags)) > 64 or any("," in flag for flag in reading.flags)):
        raise ValueError(f"flags {','.join(reading.flags)[:80]} are more than 64 characters, or one has a comma")


def check_test(test: StationTest) -> None:
    check_instant("observed_at", test.observed_at, test.received_at)


def joined(tables: Sequence[WaterReadings]) -> WaterReadings:
    """One table of several, in their order."""
    if len(tables) == 1:
        return tables[0]
    names = WaterReadings.__struct_fields__
    return WaterReadings(**{name: [*chain.from_iterable(getattr(each, name) for each in tables)] for name in names})


def columns_of(readings: Sequence[StationReading]) -> WaterReadings:
    return WaterReadings(
        source=[each.source for each in readings],
        station=[each.station for each in readings],
        element=[each.element for each in readings],
        observed_at=[each.observed_at for each in readings],
        received_at=[each.received_at for each in readings],
        value=[each.value for each in readings],
        quality=[each.quality for each in readings],
        flags=[",".join(each.flags) or None for each in readings],
        raw_ref=[each.raw_ref for each in readings],
        code=[each.code for each in readings],
    )


def _reading_of(place: tuple[Any, ...]) -> StationReading:
    source, station, element, observed_at, received_at, value, quality, flags, raw_ref, code = place
    return StationReading(
        source=source,
        station=station,
        element=element,
        observed_at=observed_at,
        received_at=received_at,
        value=value,
        quality=quality,
        flags=tuple(flags.split(",")) if flags else (),
        raw_ref=raw_ref,
        code=code,
    )
