"""A device that doubts itself: which of its samples are told, for how long, and in which words?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec
import pytest

from schemas.water_registers import Neighbour, SensorHeight, WaterRegister
from streams.alerts.episodes import Alert, Change, Subject, step
from streams.water import doubts
from streams.water.doubts import Doubted
from streams.water.qartod import FAIL, GOOD, MISSING, SUSPECT
from streams.water.rules import MINUTE, SeriesKey, micros
from streams.water.suspects import Sample, doubted, to_ask, undecided
from streams.water.watched import Newest, Stations
from tests.streams.water.river import FROM, T0, ZONE, station, thresholds

LEVEL: SeriesKey = ("s", "dm", "level_m")
DISTANCE: SeriesKey = ("s", "dm", "distance_m")
ABOUT = Subject("water", "flood_unconfirmed", "dm")
NOW = micros(T0)


def register(*heights: SensorHeight) -> WaterRegister:
    stations = (station(), station("up"))
    near = (Neighbour(station_id="dm", neighbour_id="up", kind="upstream"),)
    own = (*thresholds(), *thresholds("up"))
    return WaterRegister(stations=stations, thresholds=own, heights=heights, neighbours=near)


def sample(value: float, is_doubted: bool = True, ago_min: float = 1, *words: str) -> Sample:
    return Sample(NOW - round(ago_min * MINUTE), value, is_doubted, words or ("low_battery",))


def newest(flag: int, ago_min: float = 1) -> Newest:
    at = NOW - round(ago_min * MINUTE)
    return Newest(at, at, flag, at if flag == GOOD else None, 0.5)


def said(
    samples: Mapping[SeriesKey, Sample], told: Mapping[Subject, Alert] | None = None, danger: int = 0,
    of: WaterRegister | None = None,
) -> list[Doubted]:  # fmt: skip
    watched = Stations(of or register()).at(T0)
    in_danger = {("dm", "flood"): danger} if danger else {}
    return doubted(watched, samples, told or {}, in_danger, T0)


def changes(
    found: list[Doubted], told: Mapping[Subject, Alert] | None = None, in_danger: Mapping[tuple[str, str], int] = {}
) -> list[Change]:
    stations = Stations(register())
    rules = {name: each.rules for name, each in stations.at(T0).items()}
    near = doubts.neighbours_of(stations.register)
    findings, cleared = doubts.findings(found, told or {}, in_danger, near, rules, T0, ZONE)
    return step((told or {}).values(), findings, cleared, T0)


def told_at(level: int) -> dict[Subject, Alert]:
    """What was told a while ago: red at 2.60 m, orange at 2.10 m .."""
    value = (0.0, 1.1, 1.6, 2.1, 2.6)[level]
    [change] = changes(said({LEVEL: sample(value, True, 30)}))
    return {change.alert.subject: change.alert}


@pytest.mark.parametrize(
    ("value", "is_doubted", "ago_min", "danger", "told", "level"),
    [
        (2.6, True, 1, 0, 0, 4),
        (1.0, True, 1, 0, 0, 1),
        (0.99, True, 1, 0, 0, 0),  # below all lines
        (2.6, False, 1, 0, 0, 0),  # good: the folds judge it
        (2.6, True, 1, 3, 0, 4),  # above the danger that stands
        (2.1, True, 1, 3, 0, 0),
        (2.6, True, 1, 4, 4, 0),
        (2.6, True, 61, 0, 0, 0),  # what is old is nobody's alarm ..
        (2.6, True, 61, 0, 4, 4),  # .. but silence ends nothing
        (2.45, True, 1, 0, 4, 4),  # not below the off of the level that is told
        (2.39, True, 1, 0, 4, 3),
        (0.95, True, 1, 0, 1, 1),
        (0.89, True, 1, 0, 1, 0),
        (0.89, True, 1, 0, 4, 0),
        (2.6, True, 1, 0, 3, 4),
    ],
)
def test_which_level_a_doubted_sample_may_be_at(
    value: float, is_doubted: bool, ago_min: float, danger: int, told: int, level: int
) -> None:
    standing = told_at(told) if told else {}
    found = said({LEVEL: sample(value, is_doubted, ago_min)}, standing, danger)
    assert [each.level for each in found] == ([level] if level else [])


def test_a_distance_is_held_against_the_lines_as_the_level_that_it_means() -> None:
    of = register(SensorHeight(station_id="dm", height_m=5.0, valid_from=FROM))
    [found] = said({DISTANCE: sample(2.3)}, of=of)
    assert (found.element, found.level, round(found.value, 3)) == ("level_m", 4, 2.7)


@pytest.mark.parametrize(
    ("said_last", "ago_min", "is_told", "since_min"),
    [
        (GOOD, 1, False, None),  # decided
        (GOOD, 1, True, None),
        (SUSPECT, 1, False, 60),
        (FAIL, 1, False, 60),  # decides nothing: the sample before it may be doubted
        (MISSING, 1, False, 60),
        (SUSPECT, 61, False, None),  # old
        (SUSPECT, 3000, True, 60),  # its founding sample is half an hour old
    ],
)
def test_which_stations_are_looked_at(said_last: int, ago_min: float, is_told: bool, since_min: float | None) -> None:
    watched = Stations(register()).at(T0)
    asked = undecided(watched, {LEVEL: newest(said_last, ago_min)}, told_at(4) if is_told else {}, T0)
    assert asked == ({} if since_min is None else {LEVEL: NOW - round(since_min * MINUTE)})


def test_what_is_told_is_looked_at_from_its_founding_sample_on() -> None:
    told = told_at(4)
    watched = Stations(register()).at(T0 + timedelta(hours=8))
    last = Newest(NOW + 7 * 60 * MINUTE, NOW, MISSING, None, None)
    assert undecided(watched, {LEVEL: last}, told, T0 + timedelta(hours=8)) == {LEVEL: NOW - 30 * MINUTE}


@pytest.mark.parametrize(
    ("words", "zh", "en"),
    [
        (("low_battery",), "设备自报电池电压低", "its device says: battery low"),
        (("threshold", "low_battery", "gauge_fault"), "电池电压低、水位计故障", "battery low, gauge fault"),
        (("calibration",), "设备自报校准中", "being calibrated"),
        (("eqp",), "数据来源标注存疑（eqp）", "its source calls it suspect (eqp)"),
    ],
)
def test_it_says_what_is_doubted_and_why(words: tuple[str, ...], zh: str, en: str) -> None:
    [change] = changes(said({LEVEL: sample(2.6, True, 1, *words)}))
    alert = change.alert
    assert (change.change, alert.level, alert.certainty) == ("raised", 4, "possible")
    assert "待核实（红色）" in alert.sentence_zh and "水位 2.60 米" in alert.sentence_zh and zh in alert.sentence_zh
    assert "water level 2.60 m" in alert.sentence_en and en in alert.sentence_en
    assert (alert.detail["doubt"], alert.detail["value"], alert.detail["flags"]) == ("device", 2.6, list(words))


def test_a_neighbour_makes_it_likely() -> None:
    found = said({LEVEL: sample(2.6)})
    [change] = changes(found, in_danger={("up", "flood"): 2})
    assert (change.alert.certainty, change.alert.detail["agreeing"]) == ("likely", ["up"])
    both = said({LEVEL: sample(2.6), ("s", "up", "level_m"): sample(1.2)})
    assert {each.alert.certainty for each in changes(both)} == {"likely"}


def test_another_sample_of_the_same_doubt_is_no_news_and_another_level_is() -> None:
    told = told_at(3)
    assert changes(said({LEVEL: sample(2.2)}, told), told) == []
    assert changes(said({LEVEL: sample(2.2, True, 1, "gauge_fault")}, told), told)[0].alert.revision == 2
    [change] = changes(said({LEVEL: sample(2.7)}, told), told)
    assert (change.change, change.alert.level, change.alert.detail["value"]) == ("updated", 4, 2.7)
    assert change.alert.alert_id == told[ABOUT].alert_id


def test_it_ends_with_what_is_observed_or_with_what_does_not_bear_it_out() -> None:
    told = told_at(4)
    [confirmed] = changes([], told, {("dm", "flood"): 4})
    assert (confirmed.change, confirmed.alert.detail["is_confirmed"]) == ("ended", True)
    [other] = changes([], told, {("dm", "flood"): 1})
    assert (other.change, other.alert.detail["is_confirmed"]) == ("ended", False)


def test_a_good_sample_that_waits_for_its_next_goes_on_with_the_same_alert() -> None:
    told = told_at(4)
    crossing = msgspec.structs.replace(said({LEVEL: sample(2.6)})[0], doubt="crossing", words=())
    [change] = changes([crossing], told)
    assert (change.change, change.alert.certainty, change.alert.alert_id) == ("updated", "likely", told[ABOUT].alert_id)


def test_a_station_is_asked_when_its_doubt_begins() -> None:
    found = said({LEVEL: sample(2.6)})
    [question] = to_ask(found, {})
    assert (question.station_id, question.doubt, question.level) == ("dm", "device", 4)
    assert question.expires_at(NOW) == NOW + 10 * MINUTE
    assert to_ask(found, told_at(4)) == []


def test_a_gauge_is_judged_by_sums() -> None:
    rain = msgspec.structs.replace(station(kind="rain", element="rain_total_mm"))
    of = WaterRegister(stations=(rain,), thresholds=thresholds(hazard="rain", element="rain_sum_1h_mm"))
    key = ("s", "dm", "rain_total_mm")
    assert undecided(Stations(of).at(T0), {key: newest(SUSPECT)}, {}, T0) == {}
