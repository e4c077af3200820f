"""How much has it rained, do the pipes do what they should, and what is shown in a storm? For each minute of the log.

A part of the sweep over water, in its transaction. What was said up to the minute counts, whatever is stored already:
so the same log gives the same sums. The samples of the last day are cached; whoever's transaction fails calls `forget`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final

import numpy as np

from schemas.water_registers import RainWeight, WaterRegister
from sql.connect import Connection
from sql.named import named
from streams.alerts import store as alerts
from streams.alerts.episodes import step
from streams.sweep_storm import show
from streams.water import rain_store
from streams.water.gauges import (
    LOOK_BACK,
    MARK_EVERY,
    NONE,
    Piece,
    Samples,
    areal_sums,
    gauge_sums,
    gauges_of,
    is_watched,
    mark_from,
    weights_of,
)
from streams.water.network import KINDS, NetworkKeys, gone, machines, network_keys, pipe_state, rain_at
from streams.water.pipes import network_findings
from streams.water.rain import LONGEST, Areal, Sum
from streams.water.rules import HOUR, MINUTE, SeriesKey, SeriesRules, micros, rules_of

SWEEP: Final = "rain"  # its progress: the newest mark whose sums are stored
OVERLAP: Final = 10 * MINUTE  # what comes later than this is found by when it came (index water_reading_late)
KEEP: Final = LOOK_BACK + HOUR  # of samples: the marks of the last hour are computed from these
KEEP_LATE: Final = LONGEST + KEEP  # of a series of which something came late: those of the last day
NOTHING: Final = rain_store.Said(NONE, None)
_SOURCES = named("sources")


class Weather:
    """`rain_and_pipes` first in the transaction of a minute, `storm` last, when the dangers are written."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self.forget()

    def forget(self) -> None:
        self._register_version: int | None = None
        self._rules: dict[SeriesKey, SeriesRules] = {}
        self._gauges: dict[str, tuple[Piece, ...]] = {}
        self._network = NetworkKeys(levels={}, velocities={}, pumps={}, sluices={}, stations={})
        self._followed: set[SeriesKey] = set()
        self._numbers: dict[SeriesKey, int] = {}
        self._samples: dict[SeriesKey, Samples] = {}
        self._at: int | None = None
        self._sums: dict[str, tuple[Sum, ...]] = {}
        self._means: dict[str, dict[int, Areal]] = {}

    def rain_and_pipes(self, connection: Connection, minute: datetime, register: WaterRegister) -> None:
        """The sums of this minute; each five minutes into `rain_sum`, with those of older marks that are others now."""
        now = micros(minute)
        self._use(register)
        marked = _SOURCES.progress(connection, sweep=SWEEP)
        is_mark = now % MARK_EVERY == 0
        news = self._take(connection, minute, minute if marked is None else min(marked, minute))
        watched = [name for name, pieces in self._gauges.items() if is_watched(pieces, now)]
        self._sums = {name: gauge_sums(self._gauges[name], self._samples, now) for name in watched}
        weights = weights_of(register)
        self._means = areal_sums(self._sums, weights)
        if is_mark:
            self._write_marks(connection, register, now, news)
            _SOURCES.put_progress(connection, sweep=SWEEP, at=minute)
        elif marked is None:
            self._write_first(connection, weights, now)
        self._judge_pipes(connection, minute, register, is_mark)

    def storm(self, connection: Connection, minute: datetime, register: WaterRegister) -> None:
        """What officers are shown of this minute, while a storm is on and when it ends."""
        now = micros(minute)
        of_machines = machines(self._network, self._rules, self._samples, now)
        show(connection, minute, register, self._rules, self._means, of_machines, self._zone)

    def _use(self, register: WaterRegister) -> None:
        if self._register_version == register.version:
            return
        self._register_version = register.version
        self._rules = rules_of(register)
        self._gauges = gauges_of(register)
        self._network = network_keys(register, self._rules)
        counts = {piece.key for pieces in self._gauges.values() for piece in pieces}
        self._followed = counts | self._network.all()
        self._numbers = {key: number for key, number in self._numbers.items() if key in self._followed}
        self._samples = {key: own for key, own in self._samples.items() if key in self._followed}

    def _take(self, connection: Connection, minute: datetime, marked: datetime) -> dict[SeriesKey, int]:
        """Bring the samples up to this minute. The earliest time of each series that is news since the last mark."""
        now = micros(minute)
        unknown = self._followed - self._numbers.keys()
        fresh = rain_store.load_numbers(connection, unknown) if unknown else {}
        self._numbers |= fresh
        key_of = {number: key for key, number in self._numbers.items()}
        numbers = sorted(key_of)
        late = rain_store.load_late(connection, numbers, now - KEEP_LATE, marked, minute)
        is_behind = now - micros(marked) > HOUR  # all marks of a day may be due
        whole = set(numbers) if self._at is None or is_behind else {self._numbers[key] for key in fresh}
        news: dict[SeriesKey, int] = {}
        parts = (
            (now - KEEP_LATE, [number for number in numbers if number in late or is_behind]),
            (now - KEEP, [number for number in numbers if number in whole and number not in late and not is_behind]),
            (micros(marked) - OVERLAP, [number for number in numbers if number not in whole and number not in late]),
        )
        for after, some in parts:
            found = rain_store.load_samples(connection, some, after, marked, minute)
            for number in some:
                key, said = key_of[number], found.get(number, NOTHING)
                self._samples[key] = _joined(self._samples.get(key, NONE), said.samples, after)
                if said.news_at is not None:
                    news[key] = said.news_at
        for number, at in late.items():
            news[key_of[number]] = min(at, news.get(key_of[number], at))
        self._at = now
        return news

    def _write_first(self, connection: Connection, weights: Mapping[str, list[RainWeight]], now: int) -> None:
        """Before the first mark of all: what was said in the meantime tells of the one before it."""
        mark = now - now % MARK_EVERY
        sums = {name: gauge_sums(self._gauges[name], self._samples, mark) for name in self._sums}
        if any(each.missing_share < 1 for own in sums.values() for each in own):
            rain_store.write_sums(connection, [(name, mark, own) for name, own in sums.items()])
            means = areal_sums(sums, weights)
            rain_store.write_means(connection, [(basin, mark, own) for basin, own in means.items()])

    def _write_marks(
        self, connection: Connection, register: WaterRegister, now: int, news: Mapping[SeriesKey, int]
    ) -> None:
        """Of this mark, and of the marks of the last day that something new is about."""
        older: dict[str, range] = {}
        for name in self._sums:
            earliest = min((news[piece.key] for piece in self._gauges[name] if piece.key in news), default=now)
            older[name] = range(max(mark_from(earliest), now - LONGEST), now, MARK_EVERY)
        rain_store.write_sums(connection, [(name, now, sums) for name, sums in self._sums.items()])
        rain_store.write_means(connection, [(basin, now, means) for basin, means in self._means.items()])
        again = [(name, mark) for name, marks in older.items() for mark in marks]
        rain_store.write_sums(
            connection, [(name, mark, gauge_sums(self._gauges[name], self._samples, mark)) for name, mark in again]
        )
        for basin, own in weights_of(register).items():
            gauges = {each.station_id for each in own}
            marks = {mark for name, mark in again if name in gauges}
            if marks:
                stored = rain_store.load_sums(connection, gauges, marks)
                means = [(basin, mark, areal_sums(stored.get(mark, {}), {basin: own})[basin]) for mark in sorted(marks)]
                rain_store.write_means(connection, means)
        self._samples = {key: _since(samples, now - KEEP) for key, samples in self._samples.items()}

    def _judge_pipes(self, connection: Connection, minute: datetime, register: WaterRegister, is_mark: bool) -> None:
        if not register.edges and not register.nodes and not self._network.pumps:
            return
        active = alerts.active(connection, "water", KINDS)
        rain = rain_at(register, self._sums, self._means) if is_mark else {}
        now = micros(minute)
        state = pipe_state(self._network, self._rules, self._samples, rain, active, now)
        found, cleared = network_findings(register.nodes, register.edges, state, now, self._zone)
        alerts.write(connection, step(active, found, [*cleared, *gone(register, active)], minute))


def _joined(before: Samples, said: Samples, after: int) -> Samples:
    """What was said of times after `after` takes the place of what was known of them."""
    kept = _upto(before, after)
    if not len(kept.ats):
        return said
    return Samples(np.concatenate([kept.ats, said.ats]), np.concatenate([kept.values, said.values]))


def _upto(samples: Samples, at: int) -> Samples:
    end = int(np.searchsorted(samples.ats, at, side="right"))
    return Samples(samples.ats[:end], samples.values[:end])


def _since(samples: Samples, at: int) -> Samples:
    begin = int(np.searchsorted(samples.ats, at, side="right"))
    return Samples(samples.ats[begin:].copy(), samples.values[begin:].copy())
