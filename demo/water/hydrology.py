"""How high is the water at a minute of the storm? Two linear stores, a power law, a pipe that fills, a pump that pumps.

No model of the real district: it only behaves as water does. What has fallen runs off with a delay, rivers rise with
the 0.6th power of the flow, a pipe that is full stands under pressure up to the street, an underpass keeps what its
pump does not take. Water in pipes runs down: the lower end of one stands no higher than its upper end. But where a flap
gate is stuck open the river runs up into the branch as it rises. Pure: the same at every call.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from math import exp

from demo.draws import between, draw, wander
from demo.ground import distance_m
from demo.water.network import (
    BRANCH,
    OUTFALL_M,
    STUCK_OPEN,
    Station,
    branch_of,
    rain_late_min,
    rain_share,
    river_stations,
)
from demo.water.storm import HOURS, STEP_MIN, Storm, fallen_mm

AFTER_HOURS = 24  # of the storm, while the water falls
_STEPS = (HOURS + AFTER_HOURS) * 60 // STEP_MIN
_DEEPEST_M = 2.4
_OVER_STREET_M = 0.15  # where a manhole overflows it stands no higher
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_NOISE_M = {"river": 0.004, "reservoir": 0.003, "pipe_node": 0.004, "underpass": 0.0, "rain": 0.0}


def rain_total_mm(station: Station, at: datetime, storm: Storm | None) -> float:
    """The counter of a gauge: a tip is 0.1 mm, and while a storm passes it never goes back."""
    begun = round(between(300.0, 1_900.0, "counter", station.number), 1)
    fell = 0.0
    if storm is not None:  # what fell elsewhere, before the storm was here, is in no counter
        late_min = rain_late_min(station)
        before = fallen_mm(storm.start_min - late_min)
        fell = rain_share(station) * (fallen_mm(storm.minute(at) - late_min) - before)
    return round(begun + int(fell * 10 + 1e-6) / 10, 1)


def level_m(station: Station, at: datetime, storm: Storm | None) -> float:
    """The level above datum; of an underpass the depth above its road."""
    clock_min = int((at - _EPOCH).total_seconds() // 60)
    dry = station.base_m
    if station.kind != "underpass":
        dry += _calm_m(station) * wander(clock_min, 180, "calm", station.number)
        dry += _NOISE_M[station.kind] * (draw("noise", station.number, clock_min) - 0.5)
    rise = 0.0 if storm is None else rise_m(station, storm.minute(at))
    if station.kind == "pipe_node":  # a pipe that fills has no dry flow beside it
        return round(max(dry, station.invert_m + rise), 3)
    return round(max(dry + rise, 0.0) if station.kind == "underpass" else dry + rise, 3)


def rise_m(station: Station, minute: float) -> float:
    """How far the storm has raised it; of a pipe node: the level above its invert."""
    rises = _rises(station)
    step, part = divmod(min(max(minute, 0.0), (len(rises) - 1) * STEP_MIN - 1e-6), STEP_MIN)
    place = int(step)
    return rises[place] + (rises[place + 1] - rises[place]) * part / STEP_MIN


@cache
def highest_m(station: Station) -> float:
    """The highest level of the storm."""
    return round((station.invert_m if station.kind == "pipe_node" else station.base_m) + max(_rises(station)), 3)


@cache
def steepest_per_min(station: Station, factor: float) -> float:
    """The steepest rise in a minute of the wall clock, when `factor` minutes of the storm pass in it."""
    within = [rise_m(station, step * STEP_MIN) for step in range(_STEPS)]
    ahead = [rise_m(station, step * STEP_MIN + factor) for step in range(_STEPS)]
    return max(abs(later - now) for now, later in zip(within, ahead, strict=True))


def _calm_m(station: Station) -> float:
    return {"river": 0.06, "reservoir": 0.02, "pipe_node": 0.05}.get(station.kind, 0.0)


@cache
def _rises(station: Station) -> tuple[float, ...]:
    """At each 5 minutes from the beginning of the storm."""
    flow = _flow(station)
    peak = max(flow)
    if station.kind == "river":
        return tuple(station.rise_m * (each / peak) ** 0.6 for each in flow)
    if station.kind == "reservoir":
        return _stored(station, flow)
    if station.kind == "pipe_node":
        return tuple(max(falls, pushed) for falls, pushed in zip(_falling(station), _pushed(station), strict=True))
    return _ponded(station, flow)


def _flow(station: Station) -> tuple[float, ...]:
    """Rain in mm/h behind two linear stores."""
    keep = exp(-STEP_MIN / station.lag_min)
    share, late = rain_share(station), rain_late_min(station)
    first = second = 0.0
    found = []
    for step in range(_STEPS + 1):
        minute = step * STEP_MIN - late
        rain = share * (fallen_mm(minute) - fallen_mm(minute - STEP_MIN)) * 60 / STEP_MIN
        first = first * keep + rain * (1 - keep)
        second = second * keep + first * (1 - keep)
        found.append(second)
    return tuple(found)


def _stored(station: Station, flow: tuple[float, ...]) -> tuple[float, ...]:
    """A lake gathers, and lets go slowly."""
    volume, found = 0.0, []
    for each in flow:
        volume += each * STEP_MIN / 60 - volume * STEP_MIN / (60 * 60)
        found.append(volume)
    most = max(found)
    return tuple(station.rise_m * each / most for each in found)


@cache
def _falling(node: Station) -> tuple[float, ...]:
    """The level above the invert where water runs down the branch."""
    flow = _flow(node)
    peak = max(flow)
    own = tuple(_filled(node, node.rise_m * each / peak) for each in flow)
    _, chain, place = branch_of(node)
    if not place:
        return own
    upper = chain[place - 1]
    drop = upper.invert_m - node.invert_m
    return tuple(min(each, above + drop) for each, above in zip(own, _falling(upper), strict=True))


def _pushed(node: Station) -> tuple[float, ...]:
    """And where the river runs up it: five minutes later at each node, and out of the manhole over the street."""
    number, chain, place = branch_of(node)
    if number not in STUCK_OPEN:
        return (0.0,) * (_STEPS + 1)
    outfall = chain[-1]
    river = min(
        (one for one in river_stations() if one.basin == node.basin and one.kind == "river"),
        key=lambda one: distance_m(one.point, outfall.point),
    )
    late = BRANCH - 1 - place
    rises = (0.0,) * late + _rises(river)[: _STEPS + 1 - late]
    drop, street = node.invert_m - outfall.invert_m, node.ground_m + _OVER_STREET_M - node.invert_m
    return tuple(min(max(each - OUTFALL_M - drop, 0.0), street) for each in rises)


def _filled(station: Station, load: float) -> float:
    """The level above the invert for a flow, as a share of the flow that fills the pipe."""
    diameter, head = station.crown_m - station.invert_m, station.ground_m + _OVER_STREET_M - station.crown_m
    if load <= 1:
        return float(diameter * load**0.5)
    return diameter + head * (1 - exp(-1.3 * (load - 1)))


def _ponded(station: Station, flow: tuple[float, ...]) -> tuple[float, ...]:
    pump_mm_h = between(28.0, 125.0, "pump", station.number)
    depth, found = 0.0, []
    for each in flow:
        depth = min(max(depth + station.rise_m * (each - pump_mm_h) * STEP_MIN / 60, 0.0), _DEEPEST_M)
        found.append(depth)
    return tuple(found)
