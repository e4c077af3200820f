"""How many spaces does one observation offer, and how far may that be believed? (reference parking 5.2, 5.3)"""

# The strategy. A healthy row leaves by the first `return`; everything below it is for rows that contradict themselves.
# What is refused becomes None with a flag that says why; what is kept satisfies 0 <= available <= capacity_used.
# A number is never made from nothing: no number in, None out. Zero is a number like any other.

from __future__ import annotations

from math import ceil, floor
from typing import Literal

import msgspec

from schemas.parking import Observation
from schemas.settings import Parking

Authoritative = Literal["free", "occupied"]

# Why a count is refused: the flags that leave available null. The minute gives them as the reason.
REFUSALS = (
    "fault",
    "unknown_status",
    "suspect",
    "invalid",
    "drift",
    "placeholder_value",
    "placeholder_capacity",
    "no_capacity",
)

SENTINELS = frozenset((-99, -999, -9999, -99999, 9999, 99999))  # "no data" written as a number
SMALLEST_LARGE_PLACEHOLDER = 999  # free beside such a capacity was counted down from it


class Clamped(msgspec.Struct, frozen=True, gc=False):
    """flags are the observation's and what was found here; overflow is cars beyond the last space, else 0."""

    available: int | None
    available_min: int | None
    available_max: int | None
    capacity_used: int | None
    overflow: int
    flags: tuple[str, ...]


def clamp(
    observation: Observation,
    capacity_register: int | None,
    limits: Parking,
    authoritative: Authoritative = "free",
) -> Clamped:
    """The believable number of one observation, whatever its pool. Called for every row.

    A closed pool keeps what it would offer: the minute publishes 0 for it.
    """
    capacity = observation.capacity
    free = observation.free
    if (
        free is not None
        and capacity is not None
        and 0 <= free <= capacity
        and (observation.occupied is None or free + observation.occupied == capacity)
        and observation.mode == "count"
        and (capacity == capacity_register or _live_capacity_is_sound(capacity, capacity_register, limits))
        and observation.source_status != "fault"
        and "unknown_status" not in observation.flags
    ):
        return Clamped(free, free, free, capacity, 0, observation.flags)
    return _examine(observation, capacity_register, limits, authoritative)


def _live_capacity_is_sound(live: int, register: int | None, limits: Parking) -> bool:
    if live in limits.placeholder_capacities:
        return False
    return register is None or abs(live - register) <= limits.capacity_jump * register


def _examine(
    observation: Observation, capacity_register: int | None, limits: Parking, authoritative: Authoritative
) -> Clamped:
    flags = observation.flags
    live = observation.capacity
    capacity = capacity_register
    if live is not None and live != capacity_register:
        if live < 0 or live in limits.placeholder_capacities:
            flags = _with(flags, "placeholder_capacity")
        elif _live_capacity_is_sound(live, capacity_register, limits):
            capacity = live
        else:
            flags = _with(flags, "capacity_jump")  # held: the register's stands until a person confirms
    if capacity is not None and capacity < 0:
        capacity = None
    if observation.source_status == "fault":
        return _refused(capacity, _with(flags, "fault"))
    if "unknown_status" in flags:  # a word that nobody knows may mean "broken": its count is not believed
        return _refused(capacity, flags)
    if observation.mode == "flag":
        return _refused(capacity, flags)
    if observation.mode == "graded":
        return _graded(observation.free_max, capacity, flags)
    if observation.mode == "percent":
        return _percent(observation, capacity, flags, limits)
    return _count(observation, capacity, flags, limits, authoritative)


def _count(
    observation: Observation,
    capacity: int | None,
    flags: tuple[str, ...],
    limits: Parking,
    authoritative: Authoritative,
) -> Clamped:
    free, occupied = observation.free, observation.occupied
    if free is not None and occupied is not None and capacity is not None:
        mismatch = abs(free + occupied - capacity) > _tolerance(limits.identity_tolerance, capacity)
        from_free = _from_free(free, observation.capacity, capacity, flags, limits)
        from_occupied = _from_occupied(occupied, capacity, flags, limits)
        chosen, other = (from_occupied, from_free) if authoritative == "occupied" else (from_free, from_occupied)
        return _widened(chosen, other) if mismatch else chosen
    if occupied is not None and (free is None or authoritative == "occupied") and capacity is not None:
        return _from_occupied(occupied, capacity, flags, limits)
    if free is not None:
        return _from_free(free, observation.capacity, capacity, flags, limits)
    return _refused(capacity, _with(flags, "no_capacity") if occupied is not None else flags)


def _from_free(free: int, live: int | None, capacity: int | None, flags: tuple[str, ...], limits: Parking) -> Clamped:
    if free in SENTINELS and (capacity is None or free > capacity or free < 0):
        return _refused(capacity, _with(flags, "placeholder_value"))
    if "placeholder_capacity" in flags and live is not None:
        says_nothing = live == 0 and free == 0  # "0 of 0" is how faults are written (Q11)
        if says_nothing or live >= SMALLEST_LARGE_PLACEHOLDER:
            return _refused(capacity, flags)
    if free < 0:
        if free < -_tolerance(limits.negative_tolerance, capacity or 0):
            return _refused(capacity, _with(flags, "drift"))
        return Clamped(0, 0, 0, capacity, -free, _with(flags, "overfull"))
    if capacity is None or free <= capacity:
        return Clamped(free, free, free, capacity, 0, flags)
    pending = "capacity_jump" in flags and live is not None and free <= live
    if pending or free - capacity <= _tolerance(limits.excess_tolerance, capacity):
        return Clamped(capacity, capacity, capacity, capacity, 0, _with(flags, "clamped"))
    return _refused(capacity, _with(flags, "invalid"))


def _from_occupied(occupied: int, capacity: int, flags: tuple[str, ...], limits: Parking) -> Clamped:
    free = capacity - occupied
    if free > capacity:
        if free - capacity <= _tolerance(limits.excess_tolerance, capacity):
            return Clamped(capacity, capacity, capacity, capacity, 0, _with(flags, "clamped"))
        return _refused(capacity, _with(flags, "invalid"))
    if free >= 0:
        return Clamped(free, free, free, capacity, 0, flags)
    if occupied * 100 > capacity * limits.overfull_percent:
        return _refused(capacity, _with(flags, "suspect"))
    return Clamped(0, 0, 0, capacity, -free, _with(flags, "overfull"))


def _percent(observation: Observation, capacity: int | None, flags: tuple[str, ...], limits: Parking) -> Clamped:
    percent = observation.percent_occupied
    if percent is None:
        return _count(observation, capacity, flags, limits, "free")
    if percent > limits.overfull_percent:
        return _refused(capacity, _with(flags, "suspect"))
    if capacity is None:
        return _refused(None, _with(flags, "no_capacity"))
    if percent > 100:
        return Clamped(0, 0, 0, capacity, ceil(capacity * (percent - 100) / 100), _with(flags, "overfull"))
    least = max(0, floor(capacity * (100 - percent - 0.5) / 100))  # whole percents: half of one either way
    most = min(capacity, ceil(capacity * (100 - percent + 0.5) / 100))
    available = min(max(floor(capacity * (100 - percent) / 100), least), most)
    return Clamped(available, least, most, capacity, 0, flags)


def _graded(free_max: int | None, capacity: int | None, flags: tuple[str, ...]) -> Clamped:
    if free_max is None or free_max < 0:
        return _refused(capacity, flags)
    return Clamped(None, 0, free_max if capacity is None else min(free_max, capacity), capacity, 0, flags)


def _widened(chosen: Clamped, other: Clamped) -> Clamped:
    """The chosen number with bounds that the other count allows too."""
    flags = _with(chosen.flags, "identity_mismatch")
    if chosen.available is None:
        return _refused(chosen.capacity_used, flags)
    bound = chosen.available if other.available is None else other.available
    least, most = min(chosen.available, bound), max(chosen.available, bound)
    return Clamped(chosen.available, least, most, chosen.capacity_used, chosen.overflow, flags)


def _refused(capacity: int | None, flags: tuple[str, ...]) -> Clamped:
    return Clamped(None, None, None, capacity, 0, flags)


def _tolerance(limit: tuple[float, float], capacity: int) -> float:
    spaces, share = limit
    return max(spaces, share * capacity)


def _with(flags: tuple[str, ...], flag: str) -> tuple[str, ...]:
    return flags if flag in flags else (*flags, flag)
