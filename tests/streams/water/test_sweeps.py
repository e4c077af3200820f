"""What happens to water because time passes, on the real database: a log in, minutes judged, alerts out."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from schemas.source import Health
from schemas.water_registers import SensorHeight
from sql.connect import Connection
from sql.registers import load_water
from streams.sweep_water import Water
from streams.water import sweep_store
from tests.conftest import Database
from tests.streams.city import report
from tests.streams.water.river import FROM
from tests.streams.water.swept import NAMES, City, at, every_five, register_of, said, wipe

pytestmark = pytest.mark.stack
ROWS = """select station_id, hazard, level, knowledge, knowledge_since, forecast_level, value, observed_at
    from water_hazard order by 1, 2"""
SILENCE = ("station_offline", "network_silent")


@pytest.fixture
def city(database: Database) -> Iterator[City]:
    found = City(database)
    load_water(found.owner, register_of(NAMES))
    yield found
    found.close()


def test_a_station_that_falls_silent_is_an_alert_until_it_is_heard_again(city: City) -> None:
    readings = every_five(NAMES[1:], 0, 60) + every_five(NAMES[:1], 0, 20) + every_five(NAMES[:1], 50, 60)
    city.live(readings, 60)
    ((raised, _, _, level, _), (ended, change, _, _, _)) = city.events(*SILENCE)
    assert (raised, level) == (36, 2)  # three of its five minutes after 00:20:02
    assert (ended, change) == (51, "ended")
    assert city.alerts() == [("station_offline", "s0", 2, False)]
    assert set(city.knowledge().values()) == {"ok"}


def test_silence_lowers_no_danger(city: City) -> None:
    city.live(
        [*every_five(NAMES, 0, 20), *(said("s0", 25 + n, 2.1) for n in range(3)), *every_five(NAMES[1:], 25, 90)], 90
    )
    assert ("flood", "s0", 3, True) in city.alerts()
    assert ("station_offline", "s0", 4, True) in city.alerts()
    rows = {row[0]: row for row in city.ask(ROWS)}
    assert rows["s0"][:4] == ("s0", "flood", 3, "offline")
    assert rows["s0"][6:] == (2.1, at(27))
    assert "已" not in city.ask("select sentence_zh from alert where kind = 'flood'")[0][0]


@pytest.mark.parametrize("silent", [1, 2])
def test_late_minutes_find_silent_who_was_silent_and_nobody_else(city: City, database: Database, silent: int) -> None:
    """The same log, judged as it comes and hours later."""
    readings = every_five(NAMES[silent:], 0, 80) + every_five(NAMES[:silent], 0, 20, 1.6)
    readings += every_five(NAMES[:1], 60, 80, 2.6)
    city.live(readings, 80)
    live = city.alerts(), city.events(*SILENCE), city.ask(ROWS)
    wipe(city)
    again = City(database)
    again.late(readings, 80)
    assert (again.alerts(), again.events(*SILENCE), again.ask(ROWS)) == live
    assert [row[2] for row in live[0] if row[0] == "station_offline"] == [3] * silent, "yellow, as it was then"
    again.close()


def test_many_silent_at_once_are_one_alert(city: City) -> None:
    city.live(every_five(NAMES, 0, 20) + every_five(NAMES[1::2], 25, 60), 60)
    assert city.alerts() == [("network_silent", "basin/even", 3, True)]
    city.live(every_five(NAMES, 61, 80), 80)
    assert city.alerts() == [("network_silent", "basin/even", 3, False)]


def test_who_was_never_heard_is_known_as_that_and_no_alert(city: City) -> None:
    city.live(every_five(NAMES[:3], 0, 40), 40)
    assert city.alerts() == []
    assert city.knowledge()["s5"] == "never"
    assert city.ask("select knowledge_since, value, level from water_hazard where station_id = 's5'") == [
        (None, None, 0)
    ]


def test_a_hole_of_the_log_is_no_silence(city: City) -> None:
    """Nobody listened for three hours; who does not come back afterwards is silent since then."""
    reports = [Health(source="s", received_at=at(n / 4), polls=1) for n in [*range(-4, 81), *range(800, 1000)]]
    report(city.owner, reports, reports[-1].received_at)
    city.late(every_five(NAMES, 0, 20) + every_five(NAMES[2:], 201, 245), 245)
    assert city.events(*SILENCE) == [(216, "raised", 1, 2, None), (216, "raised", 1, 2, None)]
    assert [row[:2] for row in city.alerts()] == [("station_offline", "s0"), ("station_offline", "s1")]
    assert city.ask("select distinct raised_at from alert") == [(at(216),)]


def test_a_danger_that_nobody_has_in_hand_is_told_again(city: City) -> None:
    """Red each two minutes, and each hour when somebody has it in hand."""
    city.live([*every_five(NAMES, 0, 20), *(said("s0", n, 2.6) for n in range(21, 30))], 30)
    raised, *told = city.events("flood")
    assert raised[1:] == ("raised", 1, 4, None)
    assert told == [(25, "updated", 2, 4, 1), (27, "updated", 3, 4, 2), (29, "updated", 4, 4, 3)]
    zh, en, notified = city.ask("select sentence_zh, sentence_en, detail ->> 'threshold' from alert")[0]
    assert (zh.count("提醒"), en.startswith("Reminder 3: ")) == (1, True)
    assert "预案 2026" in notified
    city.owner.execute(
        "insert into alert_acknowledgement (alert_id, action_id, acknowledged_at, received_at,"
        " acknowledged_by, endpoint, note)"
        " select alert_id, alert_id, %s, %s, 'officer', 'authority', '' from alert",
        (at(29), at(29.5)),
    )
    city.late([said("s0", n, 2.6) for n in range(31, 90)], 90)
    assert city.events("flood")[4:] == [(89, "updated", 5, 4, 4)]


def test_what_was_told_anew_since_is_not_told_again_late(city: City) -> None:
    """The sweep comes hours after the flood: nobody is reminded of what is over, nor of a level that was lower then."""
    levels = [0.5, 0.5, 1.6, 2.6, 2.6, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    city.late([said("s0", 5 * n, level) for n, level in enumerate(levels)], 120)
    events = city.events("flood")
    assert [row[1] for row in events][-1] == "ended"
    assert {row[4] for row in events} == {None}


RISING = [said("s0", minute, value) for minute, value in ((0, 0.3), (5, 0.7), (10, 0.75), (15, 0.8), (20, 0.85))]
FORECAST = "select alert_id, ended_at, revision, sentence_en, detail from alert where kind = 'flood_forecast'"


def test_a_forecast_of_a_silent_station_expires_and_its_return_says_nothing_twice(
    city: City, database: Database
) -> None:
    back = [said("s0", minute, 0.6) for minute in (75, 80)]
    city.live(RISING, 70)
    (row, *_) = city.ask(
        "select forecast_level, forecast_at, state -> 'forecasts' from water_hazard order by station_id"
    )
    assert row == (0, None, {"hits": 0, "false": 0, "told": True})
    swept = city.ask(FORECAST), city.events("flood_forecast")
    assert [row[:3] for row in swept[1]][-1] == (51, "ended", 2)
    assert swept[0][0][1:3] == (at(50), 2)
    city.live(back, 90)
    assert (city.ask(FORECAST), city.events("flood_forecast")) == swept

    wipe(city)
    without = City(database)
    for each in [*RISING, *back]:
        without.hear(each)
    assert (without.ask(FORECAST), without.events("flood_forecast")) == swept
    without.tick(90)
    without.judge()
    assert (without.ask(FORECAST), without.events("flood_forecast")) == swept
    without.close()


def test_while_a_forecast_stands_it_is_said_beside_the_level(city: City) -> None:
    city.live(RISING, 24)
    (row,) = city.ask("select level, forecast_level, forecast_at from water_hazard where station_id = 's0'")
    assert row[:2] == (0, 1)
    assert at(25) < row[2] < at(50)


def test_a_distance_is_known_as_the_level_that_it_means(city: City) -> None:
    height = SensorHeight(station_id="s0", height_m=6.0, valid_from=FROM)
    load_water(city.owner, register_of(NAMES, heights=(height,)))
    distance = msgspec.structs.replace(said("s0", 1, 5.2), element="distance_m")
    city.live([distance], 3)
    assert city.ask("select value, observed_at from water_hazard where station_id = 's0'") == [
        (pytest.approx(0.8), at(1))
    ]


def test_only_rows_that_changed_are_written(city: City) -> None:
    city.live([*every_five(NAMES, 0, 5), said("s1", 7)], 9)
    written = dict(city.ask("select station_id, updated_at from water_hazard"))
    assert (written["s0"], written["s1"]) == (at(6), at(8))


def test_another_process_goes_on_where_one_stopped(city: City) -> None:
    city.live(every_five(NAMES, 0, 5), 8)
    city.water = Water(city.database.settings)
    city.live(every_five(NAMES[1:], 10, 25), 40)
    assert dict(city.ask("select station_id, updated_at from water_hazard"))["s0"] == at(21)
    assert city.alerts() == [("station_offline", "s0", 2, True)]


def test_a_fold_that_changes_the_same_alert_goes_first(city: City) -> None:
    """The sweep sees that it was overtaken, and judges the minute anew."""
    city.live([*every_five(NAMES, 0, 5), *(said("s0", 6 + n, 2.6) for n in range(3))], 9)
    city.tick(60)
    looks: list[int] = []

    def register_version(connection: Connection) -> int:
        if not looks:
            connection.execute("select count(*) from alert").fetchone()  # its snapshot is taken
            city.hear(*(said("s0", 10 + n, 0.5, heard=60) for n in range(40)))
        looks.append(1)
        return known(connection)

    known, sweep_store.register_version = sweep_store.register_version, register_version
    try:
        judged = city.judge()
    finally:
        sweep_store.register_version = known
    assert len(looks) == len(judged) + 1
    assert city.events("flood")[-1][1] == "ended"


def test_a_station_that_is_withdrawn_is_no_longer_said_of(city: City) -> None:
    """Its alerts end an hour later, when it can be thought to send nothing more, and nobody is reminded of them."""
    city.live(
        [*every_five(NAMES[1:], 0, 25), *every_five(NAMES[:1], 0, 5), *(said("s1", 26 + n, 2.6) for n in range(3))], 28
    )
    assert city.alerts() == [("station_offline", "s0", 2, True), ("flood", "s1", 4, True)]
    city.owner.execute("update station set withdrawn_at = %s where station_id in ('s0', 's1')", (at(28.5),))
    city.owner.execute("update register_version set version = version + 1")
    city.late(every_five(NAMES[2:], 30, 90), 90)
    assert city.alerts() == [("station_offline", "s0", 2, False), ("flood", "s1", 4, False)]
    assert city.events("flood")[1:] == [(89, "ended", 2, 4, None)]
    assert not {"s0", "s1"} & set(city.knowledge())
