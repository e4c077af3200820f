"""What does a district of any size say of its water? Copies of the demo's 173 stations, a reading a minute each. Pure.

A copy has the hydrology, the thresholds and the failures of the first; so the bench sees the share of readings that are
not quiet as a storm makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from demo.water.network import Station, stations
from demo.water.registers import element_of, files
from demo.water.reports import measured
from demo.water.storm import Storm
from schemas.water import Element, StationReading
from schemas.water_registers import WaterRegister
from sql.registers.water_read import read_water_files

UNDER_WAY = timedelta(seconds=1)  # from a station's minute to the district
_NAMES = ("station_id", "station", "neighbour_id", "node_id", "edge_id", "upstream", "downstream", "basin_id")
_NAMES_OF_ALL = ("parent_id",)


def register(copies: int, factor: float = 1.0) -> WaterRegister:
    """The demo's register, so many times. `factor`: how many hours of the storm pass in one."""
    first, problems = read_water_files(files(factor))
    if problems:
        raise RuntimeError(f"the demo's register is not right: {problems}")
    tables: dict[str, Any] = {
        name: tuple(_copy(row, number) for number in range(copies) for row in getattr(first, name))
        for name in WaterRegister.__struct_fields__
        if name != "version"
    }
    return WaterRegister(**tables)


def _copy(row: msgspec.Struct, number: int) -> msgspec.Struct:
    """The same row of another district: everything in it has a name of its own."""
    names = {name: getattr(row, name, None) for name in (*_NAMES, *_NAMES_OF_ALL)}
    return msgspec.structs.replace(row, **{name: named(said, number) for name, said in names.items() if said})


def named(name: str, copy: int) -> str:
    return f"{name}.{copy}"


def readings(copies: int, minute: datetime, storm: Storm | None = None) -> Iterator[StationReading]:
    """What the stations of all copies say of a minute, in the order in which it is heard."""
    said = [(one.second, one, found) for one in stations() if (found := measured(one, minute, storm)) is not None]
    for second, one, found in sorted(said, key=lambda each: each[0]):
        for copy in range(copies):
            received_at = minute + timedelta(seconds=second + copy / copies) + UNDER_WAY
            yield StationReading(
                source=one.source,
                station=named(one.address, copy),
                element=_element(one),
                observed_at=minute,
                received_at=received_at,
                value=found.value,
                quality="missing" if found.value is None else "good",
                raw_ref=f"{one.number * 1_000_003 + copy:08x}{int(minute.timestamp()):08x}",
            )


@cache
def _element(one: Station) -> Element:
    element: Element = msgspec.convert(element_of(one), Element)
    return element
