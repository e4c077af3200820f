"""Which series count for a gauge, when its logger is exchanged or it is withdrawn; what its sums do not depend on."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.water_registers import WaterRegister
from streams.water.gauges import LOOK_BACK, Samples, gauge_sums, gauges_of, is_watched, mark_from
from streams.water.rules import HOUR, MINUTE
from tests.streams.water.river import T0, minute, station

OLD = station("g1", "rain", None, element="rain_total_mm")
NEW = msgspec.structs.replace(OLD, station="logger-2", version=2, valid_from=T0 + timedelta(minutes=120))
EXCHANGED = WaterRegister(stations=(OLD, NEW))


def counts(begin: int, end: int, start: float, per_min: float) -> Samples:
    whens = range(begin, end)
    ats = np.array([minute(when) for when in whens], np.int64)
    return Samples(ats, np.array([start + per_min * (when - begin) for when in whens]))


def test_the_step_from_one_logger_to_the_next_is_no_rain() -> None:
    pieces = gauges_of(EXCHANGED)["g1"]
    said = {
        ("s", "g1", "rain_total_mm"): counts(0, 140, 5_000.0, 0.1),  # it still speaks for a while
        ("s", "logger-2", "rain_total_mm"): counts(120, 241, 17.0, 0.2),
    }
    by_hours = {each.hours: each for each in gauge_sums(pieces, said, minute(240))}
    assert (by_hours[1].mm, by_hours[1].missing_share) == (12.0, 0.0)
    assert by_hours[3].mm == 24 + 5.9  # of the hour before the exchange what the old one counted up to its last word
    assert by_hours[3].missing_share == pytest.approx(1 / 180, abs=2e-4)


def test_an_announced_exchange_changes_nothing_yet() -> None:
    pieces = gauges_of(EXCHANGED)["g1"]
    said = {("s", "g1", "rain_total_mm"): counts(0, 100, 5_000.0, 0.1)}
    assert gauge_sums(pieces, said, minute(99))[0].mm == 6.0


def test_a_new_version_of_the_same_logger_goes_on_counting() -> None:
    moved = msgspec.structs.replace(OLD, version=2, valid_from=T0 + timedelta(minutes=120), lat=22.6)
    (piece,) = gauges_of(WaterRegister(stations=(OLD, moved)))["g1"]
    assert piece.key == ("s", "g1", "rain_total_mm")


def test_who_was_withdrawn_is_not_watched() -> None:
    gone = msgspec.structs.replace(OLD, withdrawn_at=T0 + timedelta(minutes=60))
    pieces = gauges_of(WaterRegister(stations=(gone,)))["g1"]
    assert is_watched(pieces, minute(59))
    assert not is_watched(pieces, minute(60))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40))
def test_what_is_longer_ago_or_later_than_asked_changes_no_sum(seed: int, hour: int) -> None:
    dice = random.Random(seed)
    whens = sorted(dice.sample(range(72 * 60), 800))
    value, values = 100.0, []
    for _ in whens:
        value = 0.0 if dice.random() < 0.01 else value + dice.choice((0.0, 0.1, 2.5))
        values.append(value)
    ats = np.array([minute(when) for when in whens], np.int64)
    whole = Samples(ats, np.array(values))
    at = minute(72 * 60) - hour * HOUR
    at_hand = (ats >= at - LOOK_BACK) & (ats <= at)
    pieces = gauges_of(WaterRegister(stations=(OLD,)))["g1"]
    key = pieces[0].key
    cut = Samples(ats[at_hand], whole.values[at_hand])
    assert gauge_sums(pieces, {key: whole}, at) == gauge_sums(pieces, {key: cut}, at)


def test_marks_are_each_five_minutes() -> None:
    assert mark_from(minute(5)) == minute(5)
    assert mark_from(minute(5) + 1) == minute(10)
    assert mark_from(minute(9)) - minute(5) == 5 * MINUTE
