"""What is said of an asset: its level and what is known of it never mix, and unknown is no zero."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.water_registers import SensorHeight, Station, Threshold, WaterRegister
from streams.alerts.episodes import Alert, Subject, alert_id
from streams.water.hazards import HazardRow, Situation, rows
from streams.water.knowledge import Judged, SilenceLimits, judge
from streams.water.rules import ALWAYS, SeriesKey
from streams.water.standing import Standing
from streams.water.watched import Good, Newest, Stations, known_of
from tests.streams.water.river import FROM, T0, minute, station, thresholds

LEVEL: SeriesKey = ("s", "dm", "level_m")


def said(at: float, value: float | None = 0.5, flag: int = 1, key: SeriesKey = LEVEL) -> dict[SeriesKey, Newest]:
    return {key: Newest(minute(at), minute(at), flag, None if value is None else minute(at), value)}


def register(of: Station | None = None, own: tuple[Threshold, ...] | None = None, **fields: Any) -> WaterRegister:
    own = thresholds() if own is None else own
    return WaterRegister(stations=(station() if of is None else of,), thresholds=own, **fields)


def row(
    newest: dict[SeriesKey, Newest],
    of: WaterRegister | None = None,
    at: float = 0,
    raining: dict[tuple[str, bool], float] | None = None,
    watching: int = ALWAYS,
    **fields: Any,
) -> HazardRow:
    when = T0 + timedelta(minutes=at)
    watched = Stations(register() if of is None else of).at(when)
    known = known_of(watched, newest, {}, {}, raining or {}, 2.5)
    judged = [judge(each, minute(at), SilenceLimits(), watching) for each in known]
    beside: dict[str, Any] = {"dangers": {}, "forecasts": {}} | fields
    (found,) = rows(watched, judged, Situation(minute=when, newest=newest, **beside))
    return found


def danger(level: int) -> dict[tuple[str, str], Standing]:
    subject = Subject("water", "flood", "dm")
    alert = Alert(
        alert_id=alert_id(subject, T0), subject=subject, level=level, certainty="observed", raised_at=T0,
        sentence_zh="", sentence_en="", detail={"started_at": (T0 - timedelta(minutes=9)).isoformat(), "peak": 2.1},
    )  # fmt: skip
    return {("dm", "flood"): Standing(alert=alert)}


def test_a_quiet_river() -> None:
    found = row(said(-2))
    assert (found.level, found.since, found.knowledge, found.knowledge_since) == (0, None, "ok", T0)
    assert (found.value, found.observed_at) == (0.5, T0 - timedelta(minutes=2))


def test_zero_is_a_value_and_nothing_heard_is_none() -> None:
    assert row(said(-2, 0.0)).value == 0.0
    found = row({})
    assert (found.knowledge, found.knowledge_since, found.value, found.observed_at) == ("never", None, None, None)
    assert "heard_at" not in found.state


def test_silence_keeps_the_level_and_the_last_value() -> None:
    found = row(said(-40, 2.1), dangers=danger(3))
    assert (found.level, found.knowledge, found.value) == (3, "offline", 2.1)
    assert found.since == T0 - timedelta(minutes=9)
    assert found.knowledge_since == T0 - timedelta(minutes=40)
    assert found.state["peak"] == 2.1


def test_what_is_known_since_when_does_not_move_while_it_is_the_same() -> None:
    before = row(said(-2))
    after = row(said(3), at=5, before={("dm", "flood"): before})
    assert (after.knowledge, after.knowledge_since) == ("ok", T0)
    stale = row(said(3, None, flag=9), at=70, before={("dm", "flood"): after})
    assert (stale.knowledge, stale.value, stale.observed_at) == ("offline", 0.5, T0 + timedelta(minutes=3))


def test_who_was_silent_before_nobody_listened_stays_so_until_it_is_heard() -> None:
    before = row(said(-40))
    held = row(said(-40), at=5, watching=minute(4), before={("dm", "flood"): before})
    assert (before.knowledge, held.knowledge, held.knowledge_since) == ("offline", "offline", before.knowledge_since)
    assert row(said(-40), at=5, watching=minute(4)).knowledge == "ok", "silent for no longer than we listen"


@pytest.mark.parametrize(
    ("flag", "knowledge"), [(1, "ok"), (2, "suspect"), (3, "suspect"), (4, "suspect"), (9, "suspect")]
)
def test_a_bad_value_after_a_good_one_is_suspect(flag: int, knowledge: str) -> None:
    newest = {LEVEL: Newest(minute(-1), minute(-1), flag, minute(-1) if flag == 1 else minute(-6), 0.5)}
    assert row(newest).knowledge == knowledge


def test_a_distance_is_judged_by_the_height_of_its_time() -> None:
    heights = (
        SensorHeight(station_id="dm", height_m=6.0, valid_from=FROM, valid_to=T0),
        SensorHeight(station_id="dm", height_m=5.0, valid_from=T0),
    )
    key = ("s", "dm", "distance_m")
    assert row(said(-2, 4.0, key=key), register(heights=heights)).value == pytest.approx(2.0)
    assert row(said(1, 4.0, key=key), register(heights=heights), at=2).value == pytest.approx(1.0)


def test_a_gauge_says_the_rain_of_an_hour_and_never_its_count() -> None:
    gauge = station(kind="rain", element="rain_total_mm")
    own = thresholds(hazard="rain", element="rain_sum_3h_mm")
    newest = said(-2, 1234.5, key=("s", "dm", "rain_total_mm"))
    dry = row(newest, register(gauge, own))
    assert (dry.hazard, dry.value, dry.state["raining"]) == ("rain", None, False)
    wet = row(newest, register(gauge, own), raining={("dm", False): 12.5}, rain_1h_mm={"dm": 12.5})
    assert (wet.value, wet.state["element"], wet.state["raining"]) == (12.5, "rain_1h_mm", True)


def test_it_rains_at_a_station_when_it_rains_over_its_basin() -> None:
    of = register(msgspec.structs.replace(station(), basin_id="buji"))
    assert row(said(-12), of).knowledge == "ok"
    assert row(said(-12), of, raining={("buji", True): 30.0}).knowledge == "offline", "sooner in rain"


def test_a_station_without_thresholds_is_known_all_the_same() -> None:
    found = row(said(-2), register(own=()))
    assert (found.hazard, found.level, found.knowledge, found.state["has_thresholds"]) == ("flood", 0, "ok", False)


def test_the_register_is_that_of_the_minute() -> None:
    later = msgspec.structs.replace(station(), valid_from=T0 + timedelta(minutes=5))
    withdrawn = msgspec.structs.replace(station("b"), withdrawn_at=T0 + timedelta(minutes=5))
    stations = Stations(WaterRegister(stations=(later, withdrawn)))
    assert list(stations.at(T0)) == ["b"]
    assert list(stations.at(T0 + timedelta(minutes=5))) == ["dm"]


def test_what_is_remembered_of_a_value_outlasts_a_day_of_bad_ones() -> None:
    watched = Stations(register()).at(T0)
    newest = said(-1, None, flag=4)
    (known,) = known_of(watched, newest, {"dm": Good(minute(-3000), 0.7)}, {"dm": 2}, {}, 2.5)
    assert (known.value, known.good_at, known.level) == (0.7, minute(-3000), 2)
    judged: Judged = judge(known, minute(0), SilenceLimits())
    assert (judged.state, judged.since) == ("stale", minute(-3000))
