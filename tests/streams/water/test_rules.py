"""By which station is a reading judged, when loggers are exchanged, moved and withdrawn?"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from schemas.water_registers import SensorHeight, WaterRegister
from streams.water.replay import table_of
from streams.water.rules import SeriesKey, SeriesRules, micros, period_at, rules_of
from tests.streams.water.river import FROM, T0, ZONE, feed, station, thresholds

EXCHANGED = T0 + timedelta(days=1)


def judged_by(register: WaterRegister, key: SeriesKey, at: datetime) -> str | None:
    """The station whose thresholds a reading of this series and time meets; None: it is only stored."""
    rules = rules_of(register).get(key)
    return rules.station_id if rules is not None and period_at(rules, micros(at)).hazards else None


def exchanged() -> WaterRegister:
    """Its logger is exchanged tomorrow: from then on another id reports."""
    old = replace(station(), valid_to=EXCHANGED)
    new = replace(station(), version=2, valid_from=EXCHANGED, station="dm-new")
    return WaterRegister(stations=(old, new), thresholds=thresholds())


def test_a_logger_counts_until_the_day_of_its_exchange() -> None:
    register = exchanged()
    for name, before, after in (("dm", "dm", None), ("dm-new", None, "dm")):
        key = ("s", name, "level_m")
        assert judged_by(register, key, EXCHANGED - timedelta(minutes=1)) == before
        assert judged_by(register, key, EXCHANGED) == after


def test_an_alert_is_raised_while_an_exchange_is_announced() -> None:
    state = table_of(exchanged(), ZONE)
    folded = feed(state, [(0, 0.5), (5, 0.9), (10, 1.2), (15, 1.2)], slot=state.slots["s", "dm", "level_m"])
    assert [change.what for change in folded.changes] == ["raised"]


def test_a_logger_that_was_moved_speaks_for_the_newer_station() -> None:
    old, other = exchanged().stations
    moved = replace(station("hb"), valid_from=EXCHANGED, station="dm")
    register = WaterRegister(stations=(moved, old, other), thresholds=thresholds() + thresholds("hb"))
    assert judged_by(register, ("s", "dm", "level_m"), EXCHANGED) == "hb"
    assert judged_by(register, ("s", "dm-new", "level_m"), EXCHANGED) == "dm"


def test_a_station_that_is_withdrawn_is_no_longer_judged() -> None:
    register = WaterRegister(stations=(replace(station(), withdrawn_at=EXCHANGED),), thresholds=thresholds())
    assert judged_by(register, ("s", "dm", "level_m"), EXCHANGED - timedelta(minutes=1)) == "dm"
    assert judged_by(register, ("s", "dm", "level_m"), EXCHANGED) is None


def test_a_distance_is_a_level_by_the_height_of_its_own_deployment() -> None:
    heights = (
        SensorHeight(station_id="dm", height_m=4.0, valid_from=FROM, valid_to=EXCHANGED),
        SensorHeight(station_id="dm", height_m=4.5, valid_from=EXCHANGED),
    )
    said = tuple(replace(station(), element=element) for element in ("level_m", "distance_m"))
    for each in said:
        register = WaterRegister(stations=(each,), thresholds=thresholds(), heights=heights)
        _is_level_by_height(rules_of(register)["s", "dm", "distance_m"])


def _is_level_by_height(rules: SeriesRules) -> None:
    for at, level in ((EXCHANGED - timedelta(minutes=1), 1.5), (EXCHANGED, 2.0)):
        period = period_at(rules, micros(at))
        assert period.scale * 2.5 + period.offset == level
        assert period.hazards


def test_a_level_beside_distances_is_no_second_judge() -> None:
    heights = (SensorHeight(station_id="dm", height_m=4.0, valid_from=EXCHANGED),)
    rules = rules_of(WaterRegister(stations=(station(),), thresholds=thresholds(), heights=heights))
    judges = {
        at: [key[2] for key, found in rules.items() if period_at(found, micros(at)).hazards]
        for at in (EXCHANGED - timedelta(minutes=1), EXCHANGED)
    }
    assert judges == {EXCHANGED - timedelta(minutes=1): ["level_m"], EXCHANGED: ["distance_m"]}


def test_a_level_above_an_unknown_value_is_only_stored() -> None:
    known = replace(station(), reference_value_m=10.0)  # then the connector makes levels of it
    rules = rules_of(WaterRegister(stations=(known,), thresholds=thresholds()))
    assert ("s", "dm", "level_relative_m") not in rules
