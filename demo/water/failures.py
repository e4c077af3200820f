"""What breaks in the middle of the storm, and when? Batteries, a gateway, lines, clocks, floats that hang. Pure.

Each failure is drawn for a few stations and lasts from one minute of the storm to another, around its peak hour.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import msgspec

from demo.draws import draw
from demo.water.network import Station, gauges, nodes, river_stations, underpasses
from demo.water.storm import peak_min

Failure = Literal[
    "silent",  # it measures nothing and says nothing
    "line_down",  # it measures, and says so when its line is back
    "stuck",  # it says the same for hours
    "spikes",  # now and then a value that cannot be
    "no_value",  # it says that it has none
    "clock",  # its clock was never set after a restart: it is 2059
    "tilt",  # a device hangs aslant: its distance means nothing
]
SPIKE_SHARE = 0.08  # of the minutes


class Breakdown(msgspec.Struct, frozen=True):
    failure: Failure
    begin_min: float
    end_min: float


@cache
def breakdowns() -> dict[str, Breakdown]:
    """By station_id; every other station is well."""
    peak = peak_min()
    rivers = [one for one in river_stations() if one.kind == "river"]
    spoken = [one for one in rivers if one.device == "sl651"]
    found = {
        gauges()[4].station_id: Breakdown("silent", peak - 60, peak + 300),
        gauges()[23].station_id: Breakdown("silent", peak - 30, peak + 420),
        gauges()[50].station_id: Breakdown("line_down", peak - 20, peak + 160),
        gauges()[61].station_id: Breakdown("clock", peak, peak + 240),
        spoken[2].station_id: Breakdown("stuck", peak - 60, peak + 200),
        spoken[5].station_id: Breakdown("spikes", peak - 240, peak + 600),
        spoken[8].station_id: Breakdown("line_down", peak + 30, peak + 180),
        spoken[10].station_id: Breakdown("no_value", peak + 20, peak + 120),
        rivers[0].station_id: Breakdown("clock", peak + 60, peak + 200),
        underpasses()[3].station_id: Breakdown("silent", peak + 10, peak + 400),
        underpasses()[6].station_id: Breakdown("spikes", peak - 200, peak + 400),
    }
    muds = [one for one in nodes() if one.device == "EM400-MUD"]
    found[muds[0].station_id] = Breakdown("tilt", peak, peak + 500)
    gateway = nodes()[25].gateway
    for one in nodes():
        if one.gateway == gateway:
            found.setdefault(one.station_id, Breakdown("line_down", peak - 5, peak + 115))
    return found


def failure_of(station: Station, storm_min: float | None, clock_min: int) -> Failure | None:
    """What is wrong with a station now; a spike is there only in the minutes that have one."""
    broken = None if storm_min is None else breakdowns().get(station.station_id)
    if broken is None or storm_min is None or not broken.begin_min <= storm_min < broken.end_min:
        return None
    if broken.failure == "spikes" and draw("spike", station.number, clock_min) >= SPIKE_SHARE:
        return None
    return broken.failure


def stuck_since_min(station: Station) -> float:
    """The minute of the storm whose level a station that hangs keeps saying."""
    return breakdowns()[station.station_id].begin_min
