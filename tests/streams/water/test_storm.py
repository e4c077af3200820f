"""What an officer is shown in a storm: what comes next, where we are blind, what is closed first; each with reasons."""

from __future__ import annotations

import msgspec

from schemas.water_registers import Station
from streams.water.rain import Areal
from streams.water.rules import HazardRules, hazards_at
from streams.water.storm import Asset, storm_reasons, storm_view
from tests.streams.water.river import ZONE, minute, station, thresholds

NOW = minute(60)
LINES: HazardRules = hazards_at(thresholds())[0]
HEAVY = Areal(45.0, 0.1, ("g3",))


def underpass(name: str, priority: int | None = None) -> Station:
    return msgspec.structs.replace(station(name, "underpass"), underpass_priority=priority)


def asset(of: Station, value: float | None = 0.9, slope: float | None = 0.01, level: int = 0) -> Asset:
    return Asset(station=of, value=value, at=minute(58), slope_per_min=slope, level=level, hazard=LINES)


def test_a_storm_is_on_by_the_rain_of_a_basin() -> None:
    assert storm_reasons({"布吉河": {1: Areal(19.0, 0.0, ()), 3: Areal(None, 1.0, ("g",))}}) == ()
    (why,) = storm_reasons({"布吉河": {3: Areal(60.0, 0.25, ("g",))}})
    assert why.zh == "布吉河 3 小时面雨量 60.0 毫米（缺测 25%）"
    assert why.en == "布吉河: 60.0 mm of areal rain in 3 h (25% missing)"


def test_what_crosses_next_in_the_order_of_time() -> None:
    assets = [
        asset(station("slow"), 0.5, 0.01),
        asset(station("quick"), 0.9, 0.02),
        asset(station("never"), 0.5, 0.0),
        asset(station("late"), 0.1, 0.002),
        asset(station("high"), 1.4, 0.05, level=1),
    ]
    view = storm_view(assets, {"b": {3: Areal(60.0, 0.0, ())}}, NOW, ZONE)
    assert view.is_active
    assert [(each.station_id, each.level, each.minutes) for each in view.coming] == [
        ("high", 2, 0.0),
        ("quick", 1, 3.0),
        ("slow", 1, 48.0),
    ]
    assert "预计 09:03 达到蓝色" in view.coming[1].reasons[0].zh
    assert "blue at 09:03" in view.coming[1].reasons[0].en


def test_who_is_blind_is_told_with_what_is_at_stake() -> None:
    silent = msgspec.structs.replace(asset(station("a"), level=3), knowledge="offline", silent_since=minute(20))
    never = msgspec.structs.replace(asset(station("b"), None, None), knowledge="never")
    view = storm_view([never, silent, asset(station("c"))], {}, NOW, ZONE)
    assert [each.station_id for each in view.blind] == ["a", "b"]
    assert view.blind[0].reasons[0].zh == "东门站自 08:20 起离线"
    assert "橙色预警生效" in view.blind[0].reasons[1].zh
    assert [each.station_id for each in view.coming] == ["c"]


def test_underpasses_are_closed_in_the_order_of_their_points_and_each_says_why() -> None:
    assets = [
        asset(underpass("dry"), 0.0, 0.0),
        asset(underpass("soon", 1), 0.9, 0.02),
        asset(underpass("under_water"), 2.1, 0.0, level=3),
        msgspec.structs.replace(asset(underpass("blind"), None, None), knowledge="offline", rain_1h=HEAVY),
        asset(station("river"), 2.6, 0.1, level=4),
    ]
    view = storm_view(assets, {}, NOW, ZONE)
    assert [(each.station_id, each.points) for each in view.close_first] == [
        ("under_water", 120.0),
        ("blind", 60.0),
        ("soon", 32.8),
    ]
    for each in view.close_first:
        assert each.points == sum(reason.points for reason in each.reasons)
    assert [reason.zh for reason in view.close_first[2].reasons] == ["约 3 分钟后达到蓝色", "预案中的关闭次序 1"]
    assert view.close_first[1].reasons[-1].en == "how deep it is is unknown: taken for the worst"


def test_what_was_measured_just_now_counts_before_it_is_confirmed() -> None:
    road = msgspec.structs.replace(underpass("road"), element="depth_m")
    on = {rule.level: rule.on for rule in LINES.levels}
    wet = asset(msgspec.structs.replace(road, station_id="wet"), on[1] / 2, 0.0)
    over = asset(msgspec.structs.replace(road, station_id="over"), on[2], 0.0)
    stands = asset(msgspec.structs.replace(road, station_id="stands"), on[2], 0.0, level=2)
    silent = msgspec.structs.replace(over, knowledge="offline", station=msgspec.structs.replace(road, station_id="off"))
    dry = asset(msgspec.structs.replace(road, station_id="dry"), 0.0, 0.0)
    view = storm_view([wet, over, stands, silent, dry], {}, NOW, ZONE)
    assert [(each.station_id, each.points) for each in view.close_first] == [
        ("off", 100.0), ("stands", 80.0), ("over", 60.0), ("wet", 10.0)
    ]  # fmt: skip
    assert view.close_first[0].reasons[0].zh == f"最后水深 {on[2]:.2f} 米，已过黄色线，待确认"
    assert view.close_first[2].reasons[0].zh == f"水深 {on[2]:.2f} 米，已过黄色线，待确认"
    assert view.close_first[2].reasons[0].en.endswith(", over the yellow line, not confirmed yet")
    assert view.close_first[3].reasons[0].zh == f"路面水深 {on[1] / 2:.2f} 米"


def test_what_stands_goes_before_what_is_soon_reached() -> None:
    orange = msgspec.structs.replace(asset(underpass("orange"), 2.45, 0.05, level=3), rain_1h=HEAVY)
    red = msgspec.structs.replace(asset(underpass("red"), 2.6, 0.0, level=4), rain_1h=HEAVY)
    view = storm_view([orange, red], {}, NOW, ZONE)
    assert [each.station_id for each in view.close_first] == ["red", "orange"]


def test_more_rain_weighs_more_and_where_all_is_equal_the_plan_decides() -> None:
    names = {"a": (7, 25.0), "b": (6, 25.0), "c": (9, 38.5), "d": (None, 90.0), "e": (8, 41.0), "f": (None, 25.0)}
    assets = [
        msgspec.structs.replace(asset(underpass(name, priority), 0.0, 0.0), rain_1h=Areal(mm, 0.0, ()))
        for name, (priority, mm) in names.items()
    ]
    view = storm_view(assets, {}, NOW, ZONE)
    assert [(each.station_id, each.points) for each in view.close_first] == [
        ("e", 20.0), ("d", 20.0), ("c", 19.2), ("b", 12.5), ("a", 12.5), ("f", 12.5)
    ]  # fmt: skip


def test_unknown_rain_is_no_dry_weather() -> None:
    blind = msgspec.structs.replace(asset(underpass("u"), 0.2, 0.0), rain_1h=Areal(None, 1.0, ("g",)))
    view = storm_view([blind], {}, NOW, ZONE)
    assert view.close_first[0].reasons[0].zh == "流域雨量未知"
