"""A hydrograph through the folds: every crossing told, none that was not, however the rows come."""

from __future__ import annotations

import csv
import random
from bisect import insort
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from streams.water.rehearsal import FileError, read_hydrograph, read_thresholds, register_of
from streams.water.replay import Replayed, replay
from streams.water.sentences import COLOUR_EN
from tests.streams.water.river import T0, ZONE, flood, outline

DEAD_RUN = Path(__file__).parents[3].parent / "shared/samples/water/hydrograph/usgs_01589330_dead_run_2018-06_5min.csv"
Row = tuple[datetime, float]
THRESHOLDS = """station,element,level,on,off,confirm,hold_min,source
r,level_m,blue,{0:.2f},{1:.2f},1,30,flood plan 2018
r,level_m,yellow,{2:.2f},{3:.2f},1,30,flood plan 2018
r,level_m,orange,{4:.2f},{5:.2f},1,30,flood plan 2018
"""
STORM_LINES = (1.0, 0.9, 1.5, 1.4, 2.0, 1.9)
DEAD_RUN_LINES = (0.6, 0.5, 0.9, 0.8, 1.4, 1.3)


def synthetic() -> list[Row]:
    """Three floods of 5-minute samples in 6 days: two that cross lines, and a small one that crosses none."""
    rows: list[Row] = []
    for day, (seed, top) in enumerate(((1, 2.4), (2, 0.8), (3, 3.1))):
        begin = T0 + timedelta(days=2 * day)
        rows += [(begin + timedelta(minutes=at), level) for at, level in flood(24, 5, seed, top)]
        rows += [(begin + timedelta(days=1, minutes=at), 0.3) for at in range(0, 1440, 5)]
    return rows


def dead_run() -> list[Row]:
    with DEAD_RUN.open(encoding="utf-8") as file:
        return [(datetime.fromisoformat(row["time_utc"]), float(row["stage_m"])) for row in csv.DictReader(file)]


def disturbed(rows: Sequence[Row], seed: int) -> list[Row]:
    """0.5 % spikes, 2 % gaps, 5 % of the rows up to an hour late."""
    dice = random.Random(seed)
    kept = [row for row in rows if dice.random() > 0.02]
    spiky = [
        (at, v + dice.choice((-1, 1)) * dice.uniform(0.5, 3)) if dice.random() < 0.005 else (at, v) for at, v in kept
    ]
    places = [place + (dice.uniform(0, 12) if dice.random() < 0.05 else 0) for place in range(len(spiky))]
    return [spiky[place] for place in sorted(range(len(spiky)), key=lambda each: places[each])]


def rehearse(rows: Sequence[Row], lines: Sequence[float], take: int = 1000) -> Replayed:
    text = "time,station,element,value\n" + "".join(f"{at.isoformat()},r,level_m,{value}\n" for at, value in rows)
    readings = read_hydrograph(text, "river.csv", "hydrograph")
    register = register_of(readings, read_thresholds(THRESHOLDS.format(*lines), "thresholds.csv"))
    return replay(readings, register, ZONE, take)


def crossings(rows: Sequence[Row], lines: Sequence[float]) -> list[tuple[int, datetime, datetime]]:
    """(level, from, to) by the clean record alone: over `on`, until below `off` for half an hour, and not rising."""
    found = []
    for level, (on, off) in enumerate(zip(lines[::2], lines[1::2], strict=True), 1):
        begin = under = None
        before = rows[0][1]
        for at, value in rows:
            if begin is None:
                begin = at if value >= on else None
            elif value >= off:
                under = None
            else:
                under = under or at
                if at - under >= timedelta(minutes=30) and value <= before + 0.005:
                    found.append((level, begin, at))
                    begin = under = None
            before = value
    return found


def due(said: Sequence[Row], true: Mapping[datetime, float], on: float, begin: datetime, end: datetime) -> datetime:
    """One sample plus its confirmation, of what the noise left: when the second in a row over the line was heard.

    `said` in order of arrival, each heard at the newest time until then. A row that is not as it truly was is a spike,
    and no sample. Between two samples that are there may lie one that is lost, or late: then they are in a row.
    """
    heard, known = begin, list[Row]()
    for at, value in said:
        heard = max(heard, at)
        if begin <= at <= end and true[at] == value:
            insort(known, (at, value))
            if any(one >= on and next_one >= on for (_, one), (_, next_one) in pairwise(known)):
                return heard
    raise AssertionError(f"the noise left nothing to tell of {begin}")


def check(rows: Sequence[Row], lines: Sequence[float], seed: int) -> None:
    """Every true crossing is told with the sample that confirms it; nothing is told that was no crossing."""
    true = crossings(rows, lines)
    assert len(true) >= 6
    for said in (rows, disturbed(rows, seed)):
        played = rehearse(said, lines)
        standing = [each for each in played.rises if not each.withdrawn]
        for level, begin, end in true:
            told = [
                each for each in standing if COLOUR_EN.index(each.level) >= level and begin <= each.observed_at <= end
            ]
            assert told, (level, begin)
            latest = due(said, dict(rows), lines[2 * level - 2], begin, end)
            assert min(each.raised_at for each in told) <= latest, (level, begin)
            if said is rows:
                assert latest - begin == timedelta(minutes=5)
        for rise in played.rises:
            assert any(
                level >= COLOUR_EN.index(rise.level) and begin - timedelta(minutes=5) <= rise.observed_at <= end
                for level, begin, end in true
            ), rise
        assert "missed" not in {crossing.found for crossing in played.crossings}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_crossing_of_a_synthetic_storm_is_told_and_no_spike(seed: int) -> None:
    check(synthetic(), STORM_LINES, seed)


@pytest.mark.skipif(not DEAD_RUN.exists(), reason="the recorded storms are not here")
@pytest.mark.parametrize("seed", range(1, 7))
def test_every_crossing_of_dead_run_in_june_2018_is_told_and_no_spike(seed: int) -> None:
    check(dead_run(), DEAD_RUN_LINES, seed)


def test_the_order_of_the_rows_and_the_size_of_a_take_change_nothing_in_the_end() -> None:
    rows = disturbed(synthetic(), 4)
    other = list(rows)
    random.Random(5).shuffle(other)
    in_order, shuffled = rehearse(rows, STORM_LINES), rehearse(other + other[:200], STORM_LINES)
    assert [(name, outline(episode)) for name, episode in in_order.episodes] == [
        (name, outline(episode)) for name, episode in shuffled.episodes
    ]
    small = rehearse(rows, STORM_LINES, take=7)
    assert small.rises == in_order.rises
    assert small.shown[0].marks == in_order.shown[0].marks


def test_a_rise_says_what_an_officer_asks() -> None:
    rise = rehearse(synthetic(), STORM_LINES).rises[0]
    assert (rise.station, rise.level, rise.certainty, rise.revision) == ("r", "blue", "observed", 1)
    assert rise.observed_at < rise.raised_at < (rise.ended_at or datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time,station,value\n", "river.csv:1 there is no column element"),
        ("time,station,element,value\n2026-01-01T00:00:00,r,level_m,1\n", "river.csv:2 time: say the zone too"),
        ("time,station,element,value\n2026-01-01T00:00:00Z,r,level_m,high\n", "river.csv:2 value: 'high' is no number"),
        ("time,station,element,value\nyesterday,r,level_m,1\n", "river.csv:2 time"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, says: str) -> None:
    with pytest.raises(FileError, match=says):
        read_hydrograph(text, "river.csv", "hydrograph")


@pytest.mark.parametrize(
    ("row", "says"),
    [("r,level_m,pink,1,0.9,1,30,x", "level: pink"), ("r,level_m,red,1,1.1,1,30,x", "off: 1.1 is over on")],
)
def test_a_threshold_that_makes_no_sense_is_named(row: str, says: str) -> None:
    with pytest.raises(FileError, match=says):
        read_thresholds("station,element,level,on,off,confirm,hold_min,source\n" + row + "\n", "thresholds.csv")
