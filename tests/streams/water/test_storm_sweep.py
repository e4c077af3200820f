"""A storm in the log, what officers are shown out: while it is on, and once more when it is over; pipes beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.sections import Retention
from schemas.storm import StormView
from schemas.water_registers import Edge, Neighbour, Node, StationKind, WaterRegister
from sql.connect import connect
from streams.sweep_retention import drop_old
from streams.water import storm_store
from tests.conftest import Database
from tests.streams.water.river import FROM, station
from tests.streams.water.sweeping import District, at, district_of, steady
from tests.streams.water.test_rain_sweep import gauges

pytestmark = pytest.mark.stack
UPPER = Node(node_id="n1", station_id="p1", invert_m=2.0, crown_m=3.0, ground_m=5.0, lat=22.5, lon=114.1)
LOWER = Node(node_id="n2", station_id="p2", invert_m=1.8, crown_m=2.8, ground_m=4.8, lat=22.5, lon=114.1)
FOUR_HOURS = 4 * 60


def town() -> WaterRegister:
    """Two gauges, two nodes of a pipe, two underpasses, a pump and a sluice; lines of its own has only rain."""
    kinds: list[tuple[str, StationKind, str]] = [
        ("p1", "pipe_node", "level_m"),
        ("p2", "pipe_node", "level_m"),
        ("u1", "underpass", "depth_m"),
        ("u2", "underpass", "depth_m"),
        ("pump", "pump", "level_m"),
        ("gate", "sluice", "level_m"),
    ]
    rain = gauges()
    own = [
        msgspec.structs.replace(station(name, kind, None, element=element), basin_id="buji", cadence_s=60.0)
        for name, kind, element in kinds
    ]
    own[3] = msgspec.structs.replace(
        own[3], name_zh="翠竹路下穿通道", name_en="Cuizhu Road underpass", underpass_priority=1
    )
    start = msgspec.structs.replace(
        rain.thresholds[0], station_id="pump", hazard="surcharge", element="level_m", level="blue", on=1.0, off=0.9
    )
    return msgspec.structs.replace(
        rain,
        stations=(*rain.stations, *own),
        thresholds=(*rain.thresholds, start),
        nodes=(UPPER, LOWER),
        edges=(Edge(edge_id="e1", upstream="n1", downstream="n2"),),
        neighbours=(Neighbour(station_id="u1", neighbour_id="p1", kind="near"),),
    )


@pytest.fixture
def district(database: Database) -> Iterator[District]:
    with district_of(database, town()) as made:
        yield made


def stand(district: District, name: str, hazard: str, level: int, knowledge: str, value: float | None) -> None:
    """The danger of a station, as the sweep before it has written it."""
    district.connection.execute(
        "insert into water_hazard (station_id, hazard, level, knowledge, knowledge_since, value, observed_at,"
        " updated_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (name, hazard, level, knowledge, at(30), value, at(118), at(119)),
    )


def views(district: District) -> list[tuple[Any, bool, StormView]]:
    rows = district.ask("select at, is_active, view from storm_view order by at")
    return [(when, is_active, msgspec.convert(view, StormView)) for when, is_active, view in rows]


def pour(district: District, begin: int, end: int, per_min: float) -> None:
    for name in ("g1", "g2"):
        district.say(name, steady(begin, end, 300.0, per_min))


def test_a_storm_is_shown_while_it_is_on_and_once_more_when_it_is_over(district: District) -> None:
    pour(district, 0, 120, 0.5)  # 30 mm in an hour
    district.say("u1", steady(100, 120, 0.0, 0.01), element="depth_m")
    stand(district, "u1", "ponding", 1, "ok", 0.18)
    stand(district, "u2", "ponding", 0, "offline", None)
    stand(district, "p1", "surcharge", 3, "ok", 4.6)
    district.sweep(20)
    assert views(district) == []
    district.sweep(119)
    [(when, is_active, view)] = views(district)
    assert (when, is_active, view.is_active) == (at(119), True, True)
    assert [reason.zh for reason in view.why] == [
        "布吉河流域 1 小时面雨量 29.5 毫米",
        "布吉河流域 3 小时面雨量 59.0 毫米",
    ]
    assert [each.station_id for each in view.close_first] == ["u1", "u2"]
    texts = [reason.en for reason in view.close_first[0].reasons]
    assert texts[0] == "the blue alert stands, its last water depth 0.18 m"
    assert texts[1] == "yellow in about 8 min"  # 0.27 m at a centimetre a minute, since 118
    assert "the pipes beside it are at orange" in texts
    assert "how deep it is is unknown: taken for the worst" in [reason.en for reason in view.close_first[1].reasons]
    assert [(each.station_id, each.level, each.minutes) for each in view.coming] == [("u1", 2, 8.0)]
    assert {each.station_id: each.knowledge for each in view.blind}["u2"] == "offline"
    assert {each.station_id: each.knowledge for each in view.blind}["pump"] == "never"
    district.say("g1", steady(120, 500, 360.0, 0.0))
    district.say("g2", steady(120, 500, 360.0, 0.0))
    for minute in (130, 240, 480, 481):
        district.sweep(minute)
    shown = [(when, is_active) for when, is_active, _ in views(district)]
    assert shown == [(at(119), True), (at(130), True), (at(240), False)]


def test_pumps_and_sluices_are_told_by_what_they_said_last(district: District) -> None:
    pour(district, 0, 120, 0.5)
    district.say("pump", steady(100, 120, 1.2, 0.0), element="level_m")
    district.say("pump", steady(100, 120, 0.0, 0.0), element="pump_running")
    district.say("gate", [(118, 0.2), (119, 0.5)], element="gate_opening_m")
    district.sweep(120)
    [(_, _, view)] = views(district)
    assert [(each.station_id, each.state) for each in view.machines] == [("gate", "moving"), ("pump", "standing")]
    [(subject, kind, level, is_open, zh)] = district.alerts("pump_idle")
    assert (subject, kind, level, is_open) == ("pump", "pump_idle", 3, True)
    assert "未运行" in zh
    district.say("pump", steady(120, 123, 1.2, 0.0), element="level_m")
    district.say("pump", steady(120, 123, 1.0, 0.0), element="pump_running")
    district.sweep(123)
    assert [row[3] for row in district.alerts("pump_idle")] == [False]
    district.sweep(200)  # nobody has heard of them for an hour
    assert {each.state for each in views(district)[-1][2].machines} == {"unknown"}


def test_a_pipe_runs_backward_by_both_ends_and_is_held_while_one_is_silent(district: District) -> None:
    district.say("p1", steady(0, 20, 2.4, 0.0), element="level_m")
    district.say("p2", steady(0, 20, 2.3, 0.02), element="level_m")
    district.sweep(5)
    assert district.alerts("reversal") == []
    district.sweep(15)
    [(subject, _, level, is_open, zh)] = district.alerts("reversal")
    assert (subject, level, is_open) == ("e1", 2, True)
    assert "倒灌" in zh
    district.say("p2", steady(20, 120, 2.1, 0.0), element="level_m")
    district.sweep(60)  # p1 is silent: nothing is known of the pipe
    assert [row[3] for row in district.alerts("reversal")] == [True]
    district.say("p1", steady(115, 120, 2.4, 0.0), element="level_m")
    district.sweep(120)
    assert [row[3] for row in district.alerts("reversal")] == [False]


def test_high_in_dry_weather_is_a_blockage_until_it_is_as_usual_again(district: District) -> None:
    day, level = 15 * 60, 2.2
    for name in ("g1", "g2"):
        district.say(name, steady(0, day + 900, 300.0, 0.0))
    district.say("p1", [(when, level + 0.01 * (when % 9)) for when in range(day)], element="level_m")
    district.say("p1", steady(day, day + 600, 2.5, 0.0), element="level_m")
    district.sweep(day + FOUR_HOURS - 5)
    assert district.alerts("blockage") == []
    district.sweep(day + FOUR_HOURS + 5)
    [(subject, _, level_now, is_open, zh)] = district.alerts("blockage")
    assert (subject, level_now, is_open) == ("n1", 1, True)
    assert "疑似淤堵" in zh
    for minute in range(day + FOUR_HOURS + 10, day + 600, 60):  # high for long does not become usual
        district.sweep(minute - minute % 5)
    assert [row[3] for row in district.alerts("blockage")] == [True]
    district.say("p1", steady(day + 600, day + 610, 2.25, 0.0), element="level_m")
    district.sweep(day + 610)
    assert [row[3] for row in district.alerts("blockage")] == [False]


def test_rain_that_nobody_knows_of_is_no_dry_weather(district: District) -> None:
    day = 15 * 60
    district.say("p1", [(when, 2.2 + 0.01 * (when % 9)) for when in range(day)], element="level_m")
    district.say("p1", steady(day, day + 300, 2.5, 0.0), element="level_m")
    district.sweep(day + 300)
    assert district.alerts("blockage") == []


def test_an_alert_of_a_pipe_that_was_taken_away_ends(district: District, database: Database) -> None:
    district.say("p1", steady(0, 20, 2.4, 0.0), element="level_m")
    district.say("p2", steady(0, 20, 2.7, 0.0), element="level_m")
    district.sweep(15)
    with connect(database.dsn("owner"), autocommit=True) as owner:
        owner.execute("delete from pipe_edge")
        owner.execute("update register_version set version = version + 1 where register = 'water'")
    district.sweep(16)
    assert [(row[3], row[4]) for row in district.alerts("reversal")] == [(False, "e1 已从登记表中移除，不再监视。")]


def test_nodes_and_underpasses_without_lines_of_their_own_are_judged_by_the_defaults(district: District) -> None:
    district.say("p1", steady(0, 5, 2.2, 0.0), element="level_m")
    district.say("p1", [(5, 3.4), (6, 3.5), (7, 4.95)], element="level_m")
    district.say("u1", [(5, 0.0), (6, 0.3), (7, 0.45)], element="depth_m")
    alerts = {(row[0], row[1]): (row[2], row[4]) for row in district.alerts("surcharge", "ponding")}
    assert alerts["p1", "surcharge"][0] == 4
    assert "to be set by the water authority" in alerts["p1", "surcharge"][1]
    assert alerts["u1", "ponding"][0] == 3
    assert FROM.year == 2015


def test_views_are_kept_as_long_as_alerts(district: District) -> None:
    for when in (at(0), at(0) - timedelta(days=40)):
        storm_store.put_view(district.connection, StormView(at=when, is_active=True, why=()))
    assert drop_old(district.connection, Retention(alert_events_days=30), at(60)) == 1
    assert [when for when, _, _ in views(district)] == [at(0)]
