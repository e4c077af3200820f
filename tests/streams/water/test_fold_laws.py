"""Late, shuffled, duplicated, in pieces: the final history is the same. The fast road says what the slow one says."""

from __future__ import annotations

import csv
import random
import uuid
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.water.columns import Reading, columns_of
from streams.water.fold import fold
from streams.water.revisions import AlertChange
from streams.water.rises import final_episodes
from streams.water.rules import micros, rules_of
from streams.water.series import Kept, Point, SeriesTable
from tests.streams.water.river import (
    Sample,
    feed,
    flood,
    history,
    minute,
    register,
    station,
    table,
    thresholds,
    told,
)  # fmt: skip

DEAD_RUN = Path(__file__).parents[3].parent / "shared/samples/water/hydrograph/usgs_01589330_dead_run_2018-06_5min.csv"
dice = st.randoms(use_true_random=False)


def disturbed(samples: list[Sample], random_: random.Random) -> list[Sample]:
    """With spikes and gaps, in the order of time."""
    kept = [sample for sample in samples if random_.random() > 0.03]
    return [(at, v + random_.choice((-1.0, 1.0)) * random_.uniform(0.3, 3)) if random_.random() < 0.02 else (at, v)
            for at, v in kept]  # fmt: skip


def shuffled(samples: list[Sample], random_: random.Random) -> list[Sample]:
    """Some twice, some much later, or all in any order."""
    again = samples + random_.sample(samples, len(samples) // 10)
    if random_.random() < 0.3:
        random_.shuffle(again)
        return again
    places = [place + (random_.uniform(0, 60) if random_.random() < 0.2 else 0) for place in range(len(again))]
    return [again[place] for place in sorted(range(len(again)), key=lambda each: places[each])]


def in_pieces(state: SeriesTable, samples: list[Sample], random_: random.Random) -> None:
    begin = 0
    while begin < len(samples):
        size = random_.randint(1, 40)
        feed(state, samples[begin : begin + size])
        begin += size


@settings(max_examples=25, deadline=None)
@given(dice, st.integers(0, 3), st.sampled_from([0.0, 5.0, 30.0]))
def test_the_final_history_does_not_depend_on_the_order(random_: random.Random, confirm: int, hold_min: float) -> None:
    own = register(thresholds(confirm=confirm, hold_min=hold_min))
    samples = disturbed(flood(seed=random_.randint(0, 9)), random_)
    in_order, other = table(own, hours=1e6), table(own, hours=1e6)
    told(in_order, samples)
    in_pieces(other, shuffled(samples, random_), random_)
    assert history(other) == history(in_order)
    span = in_order.ring.span(0)
    assert other.ring.mark[other.ring.span(0)].tolist() == in_order.ring.mark[span].tolist()


@settings(max_examples=12, deadline=None)
@given(dice)
def test_flapping_water_too(random_: random.Random) -> None:
    own = register(thresholds(confirm=0, hold_min=random_.choice((0.0, 4.0))), of=station(rate=None))
    samples: list[Sample] = [(float(at), random_.choice((0.3, 0.95, 1.2, 1.7))) for at in range(0, 300, 5)]
    in_order, other = table(own, hours=1e6), table(own, hours=1e6)
    told(in_order, samples)
    in_pieces(other, shuffled(samples, random_), random_)
    assert history(other) == history(in_order)


@settings(max_examples=12, deadline=None)
@given(dice)
def test_what_went_out_tells_the_final_history(random_: random.Random) -> None:
    """The last revision of each alert is what is known in the end; revisions count up without a hole."""
    state = table(hours=1e6)
    last: dict[uuid.UUID, AlertChange] = {}
    for sample in shuffled(disturbed(flood(seed=random_.randint(0, 9)), random_), random_):
        for change in feed(state, [sample]).changes:
            before = last.get(change.alert.alert_id)
            assert change.alert.revision == (1 if before is None else before.alert.revision + 1)
            last[change.alert.alert_id] = change
    standing = [change for change in last.values() if change.what != "withdrawn"]
    assert sorted((each.episode.started_at, each.alert.ended_at is None) for each in standing) == [
        (episode.started_at, episode.ended_at is None) for _, episode in final_episodes(state)
    ]


@settings(max_examples=12, deadline=None)
@given(dice)
def test_the_fast_road_says_what_the_slow_one_says(random_: random.Random) -> None:
    """Several series at once in columns, against the same readings one by one."""
    series = [register(thresholds(name), of=station(name)) for name in ("a", "b", "c")]
    fast, slow = SeriesTable(table().zone), SeriesTable(table().zone)
    for own in series:
        fast.add(rules_of(own))
        slow.add(rules_of(own))
    readings = []
    for slot in range(3):
        samples = shuffled(disturbed(flood(hours=6, seed=slot), random_), random_)
        readings += [(random_.random() + at / 60, Reading(slot, minute(at), minute(at), v)) for at, v in samples]
    log = [reading for _, reading in sorted(readings, key=lambda each: each[0])]
    begin, flags_fast, changes_fast = 0, [], []
    while begin < len(log):
        piece = log[begin : begin + random_.randint(1, 60)]
        begin += len(piece)
        folded = fold(fast, columns_of(piece))
        flags_fast += [*zip(folded.flag.tolist(), folded.late.tolist(), folded.repeat.tolist(), strict=True)]
        changes_fast += [(each.what, each.at, each.alert) for each in folded.changes]
    flags_slow, changes_slow = [], []
    for reading in log:
        folded = fold(slow, columns_of([reading]))
        flags_slow += [*zip(folded.flag.tolist(), folded.late.tolist(), folded.repeat.tolist(), strict=True)]
        changes_slow += [(each.what, each.at, each.alert) for each in folded.changes]
    assert flags_fast == flags_slow
    key = [(change[1], change[2].alert_id.bytes, change[2].revision) for change in changes_fast]
    assert sorted(key) == sorted((change[1], change[2].alert_id.bytes, change[2].revision) for change in changes_slow)
    for name in ("last_at", "last_value", "newest_at", "good_at", "heard_at", "resting"):
        assert np.array_equal(getattr(fast, name), getattr(slow, name), equal_nan=name == "last_value"), name


@settings(max_examples=12, deadline=None)
@given(dice)
def test_a_restart_forgets_nothing(random_: random.Random) -> None:
    """A table restored from what is kept and the readings goes on as if it had never stopped."""
    samples = shuffled(disturbed(flood(), random_), random_)
    cut = random_.randint(1, len(samples) - 1)
    whole, restored = table(), table()
    feed(whole, samples[:cut])
    span = whole.ring.span(0)
    points = [
        Point(at, value, received, mark & 7)
        for at, value, received, mark in zip(
            whole.ring.at[span].tolist(), whole.ring.value[span].tolist(),
            whole.ring.rank[span].tolist(), whole.ring.mark[span].tolist(), strict=True,
        )
    ]  # fmt: skip
    kept = whole.kept(0)
    restored.restore(
        0, points, Kept(int(whole.ring.floor_at[0]), restored.track_before_next(0)) if kept is None else kept
    )
    restored.heard_at[:] = whole.heard_at
    again = [(each.what, each.at, each.alert) for each in feed(restored, samples[cut:]).changes]
    assert again == [(each.what, each.at, each.alert) for each in feed(whole, samples[cut:]).changes]
    assert history(restored) == history(whole)


def test_memory_is_bounded_and_what_is_older_is_counted() -> None:
    state = table(hours=2)
    for begin in range(0, 3000, 50):
        feed(state, [(at, 0.3) for at in range(begin, begin + 50)])
    assert int(state.ring.length[0]) < 400
    assert feed(state, [(5, 2.0)]).too_late == 1
    assert feed(state, [(2990.5, 0.3)]).too_late == 0


@pytest.mark.skipif(not DEAD_RUN.exists(), reason="the recorded storms are not here")
@settings(max_examples=4, deadline=None)
@given(dice)
def test_pieces_of_the_recorded_storm(random_: random.Random) -> None:
    with DEAD_RUN.open(encoding="utf-8") as file:
        rows = [(datetime.fromisoformat(row["time_utc"]), float(row["stage_m"])) for row in csv.DictReader(file)]
    begin = random_.choice((700, 2600, 2900))
    zero = minute(0)
    samples = [((micros(at) - zero) / 60e6, value) for at, value in rows[begin : begin + 400]]
    own = register(
        thresholds(levels=(("blue", 0.6, 0.5), ("yellow", 0.9, 0.8), ("orange", 1.4, 1.3))), of=station(rate=0.14)
    )
    samples = disturbed(samples, random_)
    in_order, other = table(own, hours=1e6), table(own, hours=1e6)
    told(in_order, samples)
    in_pieces(other, shuffled(samples, random_), random_)
    assert history(other) == history(in_order)
