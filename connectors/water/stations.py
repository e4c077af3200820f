"""What must a decoder know of a station that its frames do not say? Facts of the register, given as an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec


class StationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One registered station. `password_ok` answers for the password in a frame; None: it need not have one."""

    reference_value_m: float | None = None  # SL 651: relative levels are above this (parameter 28)
    centre: int | None = None  # SL 651: the centre it reports to; another is refused
    password_ok: Callable[[str], bool] | None = None
    day_start: str = "08:00"  # local; when its daily counters reset
    mode: Literal["M1", "M2"] = "M2"  # SL 651: M1 sends and wants no answer
    speaks_for: frozenset[str] | None = frozenset()  # other stations whose readings it may bring (a relay); None: all
    cadence_s: float = 300.0  # how often it reports
    may_query: bool = False  # the server may ask it (37, 38, 3A)
    may_set_clock: bool = False  # and set its clock (4A)


Stations = Mapping[str, StationFacts]
NONE_KNOWN: Stations = {}


def refusal(stations: Stations, station: str, password: str, centre: int | None = None) -> str | None:
    """Why this sender is not believed: unknown_station, wrong_centre, wrong_password; None: it is."""
    facts = stations.get(station)
    if facts is None:
        return "unknown_station"
    if facts.centre is not None and centre is not None and facts.centre != centre:
        return "wrong_centre"
    if facts.password_ok is not None and not facts.password_ok(password):
        return "wrong_password"
    return None
