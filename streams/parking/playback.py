"""Which minutes would have been published, one after the other, given these rows? The chain that `replay` prints.

What one minute hands to the next (dwell, movement, trend) is handed on here too, so a status that waits out its dwell
comes out as it did in the city. In memory, whatever the order of the rows.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from schemas.minute import LotMinute
from schemas.parking import Observation
from schemas.registers import ParkingRegister, ShareWindow, ShareWindowChange
from schemas.settings import District, Parking
from streams.parking.availability import Authoritative, Clamped, clamp
from streams.parking.due import MINUTE, ceil_minute
from streams.parking.latest import Key, Latest, about, latest, rank
from streams.parking.lot import Beside, Recent
from streams.parking.minute import MinuteResult, minute
from streams.parking.register_view import view_of
from streams.parking.replay import capacities_at, derived_register
from streams.registers.windows import next_version


class Said:
    """All that was said of one series so far, of each time what is believed."""

    def __init__(self) -> None:
        self._believed: dict[datetime, tuple[Observation, Clamped]] = {}
        self._times: list[datetime] = []

    def add(self, row: Observation, clamped: Clamped) -> None:
        at = about(row)
        standing = self._believed.get(at)
        if standing is None:
            insort(self._times, at)
        if standing is None or rank(row) > rank(standing[0]):
            self._believed[at] = (row, clamped)

    def newest(self) -> Latest | None:
        """The same as latest.latest_of over everything that was added."""
        for at in reversed(self._times):
            row, clamped = self._believed[at]
            if row.kind != "void":
                return latest(row, clamped)
        return None


def minutes(
    rows: Sequence[Observation],
    register: ParkingRegister,
    first: datetime,
    last: datetime,
    limits: Parking,
    district: District,
    authoritative: Mapping[str, Authoritative] = {},
    cadences: Mapping[str, float] = {},
) -> Iterator[MinuteResult]:
    """Every minute from `first` to `last`; rows from before `first` are heard too.

    Without lots in the register each (source, ref) that is heard until `last` is a lot of its own.
    """
    heard = sorted((row for row in rows if row.received_at <= last), key=lambda row: row.received_at)
    view = view_of(register if register.lots else derived_register(heard, register), limits, district)
    said: dict[Key, Said] = {}
    newest: dict[Key, Latest] = {}
    previous: dict[str, LotMinute] = {}
    window = _Window(limits.trend_window_s)
    place = 0
    at = ceil_minute(first)
    while at <= last:
        capacities = capacities_at(view, at)
        touched = set()
        while place < len(heard) and heard[place].received_at <= at:
            row = heard[place]
            key = (row.source, row.ref, row.pool)
            clamped = clamp(row, capacities.get(key), limits, authoritative.get(row.source, "free"))
            said.setdefault(key, Said()).add(row, clamped)
            touched.add(key)
            place += 1
        for key in touched:
            found = said[key].newest()
            if found is None:
                newest.pop(key, None)
            else:
                newest[key] = found
        beside = Beside(cadences=cadences, recent=window.recent())
        result = minute(at, view, newest.values(), previous, beside)
        yield result
        previous = {lot.lot_id: lot for lot in result.lots}
        window.add(result)
        at += MINUTE


def with_changes(register: ParkingRegister, changes: Sequence[ShareWindowChange]) -> ParkingRegister:
    """The register after share windows that came by message, in the order of their receipt."""
    if not changes:
        return register
    lots = {(claim.source, claim.ref): claim.lot_id for claim in register.lot_sources if claim.valid_to is None}
    newest: dict[str, ShareWindow] = {}
    for window in sorted(register.share_windows, key=lambda window: window.version):
        newest[window.window_id] = window
    made: list[ShareWindow] = []
    for change in sorted(changes, key=lambda change: change.received_at):
        version = next_version(newest.get(change.window_id), change, lots.get((change.source, change.ref)))
        if version is not None:
            newest[version.window_id] = version
            made.append(version)
    return msgspec.structs.replace(register, share_windows=(*register.share_windows, *made))


class _Window:
    """The published counts of the last quarter of an hour, as the sweeps would load them for the next minute."""

    def __init__(self, window_s: float) -> None:
        self._results: deque[MinuteResult] = deque(maxlen=int(window_s // 60))

    def add(self, result: MinuteResult) -> None:
        self._results.append(result)

    def recent(self) -> dict[str, list[Recent]]:
        found: dict[str, list[Recent]] = {}
        for result in self._results:
            for lot in result.lots:
                at = lot.observed_at or lot.received_at
                if at is not None:
                    found.setdefault(lot.lot_id, []).append(Recent(at, lot.available, lot.occupied))
        return found
