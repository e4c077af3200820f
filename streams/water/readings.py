"""The slice of topic water.readings: what the ledger calls, between the pure fold and the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import psycopg

from schemas.fields import EARLIEST
from schemas.settings import Settings
from schemas.water import WaterReadings, joined
from sql.copy import Streaming
from sql.registers import read_water
from streams.alerts import store as alerts
from streams.alerts.episodes import Change
from streams.water import asking_store, doubts_store, store
from streams.water.block import Said, block_of
from streams.water.columns import Columns, Requalified, doubted, micros_of, ranks, stated_of
from streams.water.fold import fold
from streams.water.qartod import Ints
from streams.water.quality import intrinsic
from streams.water.questions import questions
from streams.water.revisions import as_change
from streams.water.rollups_store import mark_due
from streams.water.roster import UNKNOWN, Key, Places, Roster, keys_of
from streams.water.rules import instant, micros, period_at, rules_of
from streams.water.series import Point, SeriesTable
from streams.water.store import StoredRow
from streams.water.words import last_words

POINTS_AT_REST: Final = 96  # of a level that is quiet: late data may reach so far back after a restart
POINTS_AT_MOST: Final = 4096
GAUGE_LOOK_BACK: Final = timedelta(hours=48)  # the sums of a late count look a day back from a day ago
TOGETHER: Final = 8000  # so many rows are folded at once: a station's frame is a record of one row, or of a few


class Readings:
    """A cache of the series of the partitions that this process applies, and of their dangers."""

    def __init__(self, settings: Settings) -> None:
        self._zone = ZoneInfo(settings.district.time_zone)
        self._askable = asking_store.askable(settings)
        self._stream: Streaming | None = None
        self.forget()

    def forget(self) -> None:
        self._table = SeriesTable(self._zone)
        self._register_version = -1
        self._roster = Roster()
        self._waiting: dict[int, dict[Key, int]] = {}  # the series of partitions that are not here, as they were read
        self._number_of_slot: dict[int, int] = {}
        self._stream = None
        self._drop_changes()

    def _drop_changes(self) -> None:
        self._gathered: list[WaterReadings] = []
        self._gathered_rows = 0
        self._unknown: list[WaterReadings] = []
        self._late: list[StoredRow] = []
        self._requalified: list[tuple[int, Requalified]] = []
        self._changes: list[Change] = []
        self._changed_slots: set[int] = set()
        self._touched: list[tuple[npt.NDArray[np.int64], Ints]] = []
        self._clock: datetime | None = None

    def load(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int], register_version: int) -> None:
        is_new_register = register_version != self._register_version
        if is_new_register:
            register = read_water(cursor.connection)
            self._table.add(rules_of(register))
            self._register_version = register_version
        numbers = self._series_of(cursor, partitions)
        if is_new_register:  # a series that was only stored may be judged from now on
            numbers |= self._roster.unjudged()
        if numbers:
            self._load_series(cursor, numbers)

    def _series_of(self, cursor: psycopg.Cursor[Any], partitions: Sequence[int]) -> dict[Key, int]:
        """Read once for all partitions. What another worker adds to one before it comes here is met as new then."""
        if not self._waiting.keys() >= set(partitions):
            self._waiting = store.load_series(cursor)
        return {key: number for each in partitions for key, number in self._waiting.pop(each).items()}

    def _load_series(self, cursor: psycopg.Cursor[Any], numbers: dict[Key, int]) -> None:
        newest = store.load_newest(cursor, list(numbers.values()))
        slots = {n: self._table.slots[k[:3]] for k, n in numbers.items() if not k[3] and k[:3] in self._table.slots}
        self._number_of_slot.update({slot: number for number, slot in slots.items()})
        self._roster.put(numbers, slots, newest)
        kept = store.load_kept(cursor, list(slots))
        asked = []
        for number, slot in slots.items():
            if number in kept:  # what was told must be told again from the same points
                asked.append((number, instant(max(kept[number].floor_at, micros(EARLIEST))), POINTS_AT_MOST))
            elif number in newest and self._table.is_counter[slot]:
                asked.append((number, instant(newest[number]) - GAUGE_LOOK_BACK, POINTS_AT_MOST))
            elif number in newest:
                asked.append((number, EARLIEST, POINTS_AT_REST))
        points = store.load_points(cursor, asked)
        words = store.load_words(
            cursor, [(n, _since(since, points.get(n), n in kept), n in kept) for n, since, _ in asked]
        )
        for number, slot in slots.items():
            if number not in newest and not self._table.ring.length[slot]:
                continue  # it never said anything
            rules = self._table.rules[slot]
            judged = []
            counting, voids = last_words(points.get(number, ()), words.get(number, ()))
            for point in counting:
                period = period_at(rules, point.at)
                judged.append(point._replace(value=point.value * period.scale + period.offset))
            self._table.restore(slot, judged, kept.get(number), voids)
            if number in newest:
                self._table.newest_at[slot] = newest[number]

    @contextlib.contextmanager
    def streaming(self, cursor: psycopg.Cursor[Any]) -> Iterator[None]:
        with Streaming(cursor, store.READING) as self._stream:
            yield
            self._fold_gathered()
        self._stream = None

    def fold(self, partition: int, offset: int, schema: str, rows: WaterReadings) -> None:
        self._gathered.append(rows)
        self._gathered_rows += len(rows)
        if self._gathered_rows >= TOGETHER:
            self._fold_gathered()

    def _fold_gathered(self) -> None:
        if not self._gathered:
            return
        rows = joined(self._gathered)
        self._gathered, self._gathered_rows = [], 0
        series = self._roster.places_of(rows)
        known = series != UNKNOWN
        if not known.all():
            self._unknown.append(rows.at_places(np.flatnonzero(~known).tolist()))
            rows, series = rows.at_places(np.flatnonzero(known).tolist()), series[known]
        if len(series):
            self._apply(rows, series)

    def _apply(self, rows: WaterReadings, series: Places) -> None:
        numbers, slots = self._roster.number[series], self._roster.slot[series]
        at, received = micros_of(rows.observed_at), micros_of(rows.received_at)
        value = np.array(rows.value, np.float64)  # None becomes nan
        stated, device = stated_of(rows.quality), doubted(rows.flags)
        bound = np.full(len(series), np.inf)
        flag, tests = intrinsic(value, stated, device, at, received, -bound, bound)
        late, repeat = self._roster.are_late(series, at), np.zeros(len(series), np.bool_)
        judged = np.flatnonzero(slots >= 0)
        if len(judged):
            folded = fold(
                self._table,
                Columns(
                    slots[judged],
                    at[judged],
                    received[judged],
                    value[judged],
                    stated[judged],
                    device[judged],
                    ranks(received, rows.flags)[judged],
                ),
            )
            flag[judged], tests[judged] = folded.flag, folded.tests
            late[judged] |= folded.late
            repeat[judged] = folded.repeat
            self._requalified += [(self._number_of_slot[each.slot], each) for each in folded.requalified]
            self._changes += [as_change(change) for change in folded.changes] + list(folded.outlooks)
            self._changed_slots |= folded.changed_slots
        said = Said(numbers, at, received, value, stated, flag, tests, rows.flags, rows.raw_ref)
        if self._stream is None:
            late[:] = True
        self._late += store.rows_of(said.at_places(np.flatnonzero(late & ~repeat)))
        fresh = ~late & ~repeat
        if fresh.any() and self._stream is not None:
            self._stream.write_block(block_of(said, fresh))
        self._touched.append((numbers, at))
        clock = max(rows.received_at)
        self._clock = clock if self._clock is None else max(self._clock, clock)

    def write(self, cursor: psycopg.Cursor[Any]) -> None:
        if self._unknown:
            self._meet(cursor)
        store.write_late(cursor, self._late)
        store.requalify(cursor, self._requalified)
        mark_due(cursor, self._touched, self._requalified, self._zone)
        if self._changed_slots and self._clock is not None:
            kept = {self._number_of_slot[slot]: self._table.kept(slot) for slot in self._changed_slots}
            store.write_kept(cursor, kept, self._clock)
            doubts = questions(self._table, self._changed_slots)
            asking_store.ask(cursor, doubts, self._clock, self._askable)
            changed = {
                (self._table.rules[slot].station_id, self._table.rules[slot].element) for slot in self._changed_slots
            }
            doubts_store.keep(cursor, sorted(changed), doubts, self._clock)
        if self._changes:
            alerts.write(cursor.connection, self._changes)
        self._drop_changes()

    def _meet(self, cursor: psycopg.Cursor[Any]) -> None:
        """New series get their numbers; then their readings are folded like all others."""
        unknown, self._unknown = self._unknown, []
        first: dict[Key, datetime] = {}
        for rows in unknown:
            for key, received_at in zip(keys_of(rows), rows.received_at, strict=True):
                first.setdefault(key, received_at)
        self._load_series(cursor, store.register_series(cursor, first))
        for rows in unknown:
            self._apply(rows, self._roster.places_of(rows))


def _since(asked: datetime, points: Sequence[Point] | None, is_kept: bool) -> datetime:
    """From when the words of a series matter: of one that is at rest not before the oldest point at hand."""
    return asked if is_kept or not points else instant(points[0].at - 1)
