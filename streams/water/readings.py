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
from streams.water import asking_store, store
from streams.water.columns import Columns, Requalified, doubted, micros_of, stated_of
from streams.water.fold import fold
from streams.water.links import evidence_links
from streams.water.qartod import Ints
from streams.water.quality import intrinsic
from streams.water.questions import questions
from streams.water.revisions import as_change
from streams.water.rollups_store import mark_due
from streams.water.rules import ALWAYS, instant, micros, period_at, rules_of
from streams.water.series import SeriesTable
from streams.water.store import Key, StoredRow

POINTS_AT_REST: Final = 96  # of a level that is quiet: late data may reach so far back after a restart
POINTS_AT_MOST: Final = 4096
GAUGE_LOOK_BACK: Final = timedelta(hours=48)  # the sums of a late count look a day back from a day ago
TOGETHER: Final = 2000  # so many rows are folded at once: a station's frame is a record of one row, or of a few


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
        self._numbers: dict[Key, int] = {}
        self._number_of_slot: dict[int, int] = {}
        self._newest: dict[int, int] = {}  # of series that are only stored
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
            self._table.neighbours = evidence_links(register, self._table.slots, self._table.rules)
            self._register_version = register_version
        if partitions:
            self._load_series(cursor, store.load_series(cursor, partitions))
        elif is_new_register:  # a series that was only stored may be judged from now on
            judged = set(self._number_of_slot.values())
            self._load_series(cursor, {key: n for key, n in self._numbers.items() if n not in judged})

    def _load_series(self, cursor: psycopg.Cursor[Any], numbers: dict[Key, int]) -> None:
        self._numbers.update(numbers)
        newest = store.load_newest(cursor, list(numbers.values()))
        self._newest.update(newest)
        slots = {n: self._table.slots[k[:3]] for k, n in numbers.items() if not k[3] and k[:3] in self._table.slots}
        self._number_of_slot.update({slot: number for number, slot in slots.items()})
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
        for number, slot in slots.items():
            rules = self._table.rules[slot]
            judged = []
            for point in points.get(number, ()):
                period = period_at(rules, point.at)
                judged.append(point._replace(value=point.value * period.scale + period.offset))
            self._table.restore(slot, judged, kept.get(number))
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
        keys = _keys(rows)
        known = [place for place, key in enumerate(keys) if key in self._numbers]
        if len(known) < len(keys):
            taken = set(known)
            self._unknown.append(rows.at_places([place for place in range(len(keys)) if place not in taken]))
            rows, keys = rows.at_places(known), [keys[place] for place in known]
        if keys:
            self._apply(rows, keys)

    def _apply(self, rows: WaterReadings, keys: Sequence[Key]) -> None:
        numbers = [self._numbers[key] for key in keys]
        slots = np.array([-1 if key[3] else self._table.slots.get(key[:3], -1) for key in keys], np.int64)
        at, received = micros_of(rows.observed_at), micros_of(rows.received_at)
        value = np.array([np.nan if each is None else each for each in rows.value], np.float64)
        stated, device = stated_of(rows.quality), doubted(rows.flags)
        bound = np.full(len(keys), np.inf)
        flag, tests = intrinsic(value, stated, device, at, received, -bound, bound)
        late, repeat = np.zeros(len(keys), np.bool_), np.zeros(len(keys), np.bool_)
        judged = np.flatnonzero(slots >= 0)
        if len(judged):
            folded = fold(
                self._table,
                Columns(slots[judged], at[judged], received[judged], value[judged], stated[judged], device[judged]),
            )
            flag[judged], tests[judged] = folded.flag, folded.tests
            late[judged], repeat[judged] = folded.late, folded.repeat
            self._requalified += [(self._number_of_slot[each.slot], each) for each in folded.requalified]
            self._changes += [as_change(change) for change in folded.changes] + list(folded.outlooks)
            self._changed_slots |= folded.changed_slots
        fresh: list[StoredRow] = []
        newest = self._newest
        for place, (number, moment) in enumerate(zip(numbers, at.tolist(), strict=True)):
            if repeat[place]:
                continue
            row = (
                number, rows.observed_at[place], rows.received_at[place], rows.value[place], int(stated[place]),
                int(flag[place]), int(tests[place]), rows.flags[place], rows.raw_ref[place],
            )  # fmt: skip
            if late[place] or moment <= newest.get(number, ALWAYS):
                self._late.append(row)
                continue
            newest[number] = moment
            (self._late if self._stream is None else fresh).append(row)  # in the order of the log
        if fresh and self._stream is not None:
            self._stream.write(fresh)
        self._touched.append((np.array(numbers, np.int64), at))
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
        if self._changes:
            alerts.write(cursor.connection, self._changes)
        self._drop_changes()

    def _meet(self, cursor: psycopg.Cursor[Any]) -> None:
        """New series get their numbers; then their readings are folded like all others."""
        unknown, self._unknown = self._unknown, []
        first: dict[Key, datetime] = {}
        for rows in unknown:
            for key, received_at in zip(_keys(rows), rows.received_at, strict=True):
                first.setdefault(key, received_at)
        self._load_series(cursor, store.register_series(cursor, first))
        for rows in unknown:
            self._apply(rows, _keys(rows))


def _keys(rows: WaterReadings) -> list[Key]:
    """`other` is told apart by the source's own word for it."""
    return [
        (source, station, element, code or "" if element == "other" else "")
        for source, station, element, code in zip(rows.source, rows.station, rows.element, rows.code, strict=True)
    ]
