"""What do the numbers and status words of one DATEX II status come to? One observation of one pool.

The words of a site are an opening status and an occupancy status, in either order. Closed wins whatever is counted
(Q10); an occupancy word beats "unknown"; a word that is in no edition of the standard is flagged `unknown_status`.
Without a number a status is mode flag (Q27); without a vacant count a percentage is mode percent (Q4: up to 270 %).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import msgspec

from connectors.decoding import SourceContext, Unreadable, observation, reject
from connectors.numbers import whole
from connectors.times import observed as observed_time
from schemas.parking import Mode, Observation, SourceStatus
from schemas.source import Reject

_CLOSED = {"closed", "closedAbnormal", "carParkClosed", "temporarilyClosed", "permanentlyClosed"}
_FAULT = {"carParkFacilityFaulty", "outOfOrder"}
_OCCUPANCY: dict[str, SourceStatus] = {
    "full": "full",
    "fullAtEntrance": "full",
    "carParkFull": "full",
    "noMoreParkingSpacesAvailable": "full",
    "almostFull": "almost_full",
    "onlyAFewSpacesAvailable": "almost_full",
    "spacesAvailable": "open",
    "enoughSpacesAvailable": "open",
}
_UNKNOWN = {"unknown", "statusUnknown", "carParkStatusUnknown"}
_OPEN = {"open", "openingTimesInForce", "normalParkingConditionsApply", "specialParkingConditionsApply"}
_WORST_FIRST: tuple[SourceStatus, ...] = ("full", "almost_full", "open")
_THEIRS = {  # a word of theirs for each of ours
    "closed": "closed",
    "fault": "outOfOrder",
    "full": "full",
    "almost_full": "almostFull",
    "open": "spacesAvailable",
    "unknown": "unknown",
}
_FEWER_THAN = re.compile(r"^less[Tt]han(\d{1,5})(Parking)?(Spaces?)?(Available|Vacant)?$", re.ASCII)
_MORE_THAN = re.compile(r"^more[Tt]han\d{1,5}(Parking)?(Spaces?)?(Available|Vacant)?$", re.ASCII)
_NUMBER = re.compile(r"^[+-]?(\d{1,12}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?$", re.ASCII)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of one status element under our names; None where it has none."""

    free: str | None = None
    occupied: str | None = None
    capacity: str | None = None
    vehicles: str | None = None
    percent: str | None = None
    graded: str | None = None
    time: str | None = None
    words: tuple[str, ...] = ()

    @property
    def are_empty(self) -> bool:
        numbers = (self.free, self.occupied, self.capacity, self.vehicles, self.percent, self.graded)
        return not self.words and all(number is None for number in numbers)


def status_of(words: tuple[str, ...], source: SourceContext) -> tuple[SourceStatus | None, bool]:
    """Our word for theirs, and whether a word was among them that nobody knows.

    Option `status` gives more words, or other meanings: {"carParkOnRequest" = "open"}.
    """
    configured = source.options.get("status")
    ours = configured if isinstance(configured, dict) else {}
    said = {_THEIRS.get(str(ours.get(word)), word) for word in words}
    is_strange = bool(said - _CLOSED - _FAULT - _OCCUPANCY.keys() - _UNKNOWN - _OPEN)
    if said & _CLOSED:
        return "closed", is_strange
    if said & _FAULT:
        return "fault", is_strange
    occupancy = {_OCCUPANCY[word] for word in said & _OCCUPANCY.keys()}
    for status in _WORST_FIRST:
        if status in occupancy:
            return status, is_strange
    if is_strange or said & _UNKNOWN:
        return "unknown", is_strange
    return ("open" if said else None), False


def observed(
    figures: Figures, source: SourceContext, raw: Callable[[], str], *, ref: str, pool: str, payload_ref: str
) -> Observation | Reject:
    """`raw` writes the XML of the item; it is asked only for a reject."""
    try:
        at, basis, flags = observed_time(figures.time, source)
        free = whole(figures.free, "vacant spaces")
        vehicles = whole(figures.vehicles, "vehicles")
        occupied = whole(figures.occupied, "occupied spaces")
        occupied = vehicles if occupied is None else occupied
        capacity = whole(figures.capacity, "spaces")
    except Unreadable as error:
        return reject(source, raw(), error.reason, error.detail)
    status, is_strange = status_of(figures.words, source)
    percent, is_bad_percent = _percent(figures.percent)
    free_max, graded_status, is_bad_grade = _graded(figures.graded)
    flags += ("unknown_status",) if is_strange or is_bad_grade else ()
    flags += ("bad_percent",) if is_bad_percent else ()
    counted = free is not None or (occupied is not None and (percent is None or capacity is not None))
    mode: Mode = "count"
    if status == "closed":
        mode = "closed"
    elif not counted and free_max is not None:
        mode = "graded"
    elif not counted and percent is not None:
        mode = "percent"
    elif not counted and (status or graded_status):
        mode = "flag"
    made = observation(
        source,
        "",
        ref=ref,
        pool=pool,
        mode=mode,
        free=free,
        occupied=occupied,
        capacity=capacity,
        inside=vehicles,
        free_max=free_max,
        percent_occupied=percent,
        observed_at=at,
        time_basis=basis,
        source_status=graded_status if status is None and not counted else status,
        flags=flags,
        raw_text=figures.percent if is_bad_percent else figures.graded if is_bad_grade else None,
        raw_ref=payload_ref,
    )
    return reject(source, raw(), made.reason, made.detail) if isinstance(made, Reject) else made


def _percent(text: str | None) -> tuple[float | None, bool]:
    """The percentage, and whether the text was none: "NaN" (of capacity 0) must not cost the count beside it."""
    if text is None:
        return None, False
    value = float(text) if _NUMBER.match(text) else math.nan
    return (value, False) if 0 <= value <= 1000 else (None, True)


def _graded(text: str | None) -> tuple[int | None, SourceStatus | None, bool]:
    """The bound and the status of a graded count, and whether its word is unknown."""
    if text is None:
        return None, None, False
    if match := _FEWER_THAN.match(text):
        return max(0, int(match[1]) - 1), None, False  # whether that is almost full depends on the lot
    if text in ("noSpacesAvailable", "noVacantSpaces"):
        return 0, "full", False
    if _MORE_THAN.match(text):
        return None, "open", False
    return None, "unknown", True
