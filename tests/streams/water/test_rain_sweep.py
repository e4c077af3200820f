"""Counts of gauges in the log, sums and colours out: minute by minute, over resets and late words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import pytest

from schemas.water_registers import Basin, Level, RainWeight, Threshold, WaterRegister
from sql.connect import connect
from sql.registers import load_water
from streams.sweep_rain import Weather
from tests.conftest import Database
from tests.streams.water.river import FROM, ZONE, station
from tests.streams.water.sweeping import District, at, district_of, steady

pytestmark = pytest.mark.stack
ALL = "select * from rain_sum order by subject, is_areal, at, hours"
COLOURS: tuple[tuple[Level, str, float], ...] = (
    ("yellow", "rain_sum_6h_mm", 50.0),
    ("orange", "rain_sum_3h_mm", 50.0),
    ("red", "rain_sum_3h_mm", 100.0),
)


def gauges(names: Sequence[str] = ("g1", "g2"), element: str = "rain_total_mm") -> WaterRegister:
    stations = [
        msgspec.structs.replace(
            station(name, "rain", None, element=element), basin_id="buji", range_low=0.0, range_high=9999.0
        )
        for name in names
    ]
    lines = [
        Threshold(
            station_id=name, hazard="rain", element=of, level=level, on=mm, off=0.9 * mm, confirm=0, hold_min=60,
            source="国家暴雨预警信号", valid_from=FROM,
        )
        for name in names
        for level, of, mm in COLOURS
    ]  # fmt: skip
    return WaterRegister(
        stations=tuple(stations),
        thresholds=tuple(lines),
        basins=(Basin(basin_id="buji", name_zh="布吉河流域", name_en="Buji River basin"),),
        rain_weights=tuple(RainWeight(basin_id="buji", station_id=name, weight=1 / len(names)) for name in names),
    )


@pytest.fixture
def district(database: Database) -> Iterator[District]:
    with district_of(database, gauges()) as made:
        yield made


def test_counts_become_sums_and_the_mean_of_the_basin(district: District) -> None:
    district.say("g1", steady(0, 125, 310.0, 0.2))
    district.say("g2", steady(60, 125, 80.0, 0.4))
    district.sweep(125)
    sums = district.sums(125)
    assert sums["g1", 1] == (pytest.approx(11.8), 0.017)  # the last minute has not been heard of
    assert sums["g1", 3] == (pytest.approx(24.8), 0.311)
    assert sums["g2", 1] == (pytest.approx(23.6), 0.017)
    means = district.sums(125, areal=True)
    assert means["buji", 1] == (pytest.approx(17.7), 0.0)
    assert means["buji", 3] == (pytest.approx(24.8), 0.5)  # of g2 more than half is missing: it is not in the mean
    [(missing,)] = district.connection.execute(
        "select missing from rain_sum where is_areal and hours = 3 and at = %s", (at(125),)
    ).fetchall()
    assert missing == ["g2"]


def test_where_nothing_is_known_there_is_no_zero(district: District) -> None:
    district.say("g1", steady(0, 60, 310.0, 0.0))
    district.sweep(60)
    assert district.sums(60)["g1", 1] == (0.0, pytest.approx(0.017))  # it was dry: a reading
    assert district.sums(60)["g2", 1] == (None, 1.0)
    district.sweep(200)
    assert district.sums(200)["g1", 1] == (None, 1.0)
    assert district.sums(200, areal=True)["buji", 1] == (None, 1.0)


def test_a_reset_is_missing_and_no_rain(district: District) -> None:
    district.say("g1", [*steady(0, 30, 900.0, 0.1), *steady(30, 61, 0.0, 0.1)])
    district.sweep(60)
    assert district.sums(60)["g1", 1] == (pytest.approx(5.8), 0.033)  # the minute of the reset, and the last one


def test_the_table_is_written_each_five_minutes_whatever_minutes_are_swept(district: District) -> None:
    for minute in range(20):
        district.say("g1", [(minute, 310.0 + minute)])
        district.sweep(minute)
    marks = district.connection.execute("select distinct at from rain_sum order by 1").fetchall()
    assert [mark for (mark,) in marks] == [at(0), at(5), at(10), at(15)]


def test_before_the_first_mark_of_all_the_one_before_it_tells_what_is_known(district: District) -> None:
    district.sweep(62)
    assert district.sums(60) == {}
    district.say("g1", steady(0, 63, 310.0, 0.2))
    district.sweep(63)
    assert district.sums(60)["g1", 1] == (pytest.approx(12.0), 0.0)
    assert district.sums(60, areal=True)["buji", 1] == (pytest.approx(12.0), 0.5)


def test_a_late_word_changes_the_sums_of_a_day_and_no_older_ones(district: District) -> None:
    samples = steady(0, 26 * 60, 100.0, 0.1)
    lost = [each for each in samples if 40 <= each[0] < 60 or 600 <= each[0] < 700]
    district.say("g1", [each for each in samples if each not in lost])
    for minute in (45, 650, 26 * 60):
        district.sweep(minute)
    before = {minute: district.sums(minute)["g1", 1] for minute in (45, 650)}
    assert before[650] == (pytest.approx(0.9), 0.85)  # known up to 599
    district.say("g1", lost, heard=26 * 60 + 1)
    district.sweep(26 * 60 + 5)
    assert district.sums(650)["g1", 1] == (pytest.approx(6.0), 0.0)
    assert district.sums(650, areal=True)["buji", 1] == (pytest.approx(6.0), 0.5)
    assert district.sums(45)["g1", 1] == before[45]  # more than a day ago


def test_the_same_log_gives_the_same_sums_wherever_the_sweep_was_started_anew(district: District) -> None:
    count = 100.0
    for minute in range(90):
        count = 3.0 if minute == 40 else round(count + (minute % 7) / 10, 1)
        if minute % 10 != 9:
            district.say("g1", [(minute - 0.2, count)])
        if minute == 70:
            district.say("g2", [(each, each / 2) for each in range(20, 60, 3)], heard=70)
    for minute in range(91):
        district.sweep(minute)
    once = district.ask(ALL)
    district.connection.execute("delete from sweep_progress")
    with district.connection.transaction():
        district.connection.execute("update rain_sum set mm = -1")
    for minute in range(91):
        if minute % 13 == 0:
            district.weather = Weather(ZONE)
        district.sweep(minute)
    assert district.ask(ALL) == once


def test_what_was_received_after_the_minute_does_not_count_yet(district: District) -> None:
    district.say("g1", steady(0, 60, 310.0, 0.2))
    district.say("g1", [(59.5, 400.0)], heard=75)
    district.sweep(60)
    assert district.sums(60)["g1", 1][0] == pytest.approx(11.8)


def test_another_word_about_a_time_is_the_one_that_counts(district: District) -> None:
    district.say("g1", steady(0, 60, 310.0, 0.2))
    district.sweep(60)
    assert district.sums(60)["g1", 1][0] == pytest.approx(11.8)
    district.say("g1", [(59, 325.0)], heard=61)
    district.sweep(65)
    assert district.sums(60)["g1", 1][0] == pytest.approx(15.0)
    district.weather = Weather(ZONE)
    district.say("g1", [(66, 326.0)])
    district.sweep(70)
    assert district.sums(70)["g1", 1][0] == pytest.approx(14.0)


def test_a_gauge_that_is_added_counts_from_what_it_had_said(district: District, database: Database) -> None:
    for name in ("g1", "g3"):
        district.say(name, steady(0, 61, 310.0, 0.2))
    district.sweep(60)
    assert ("g3", 1) not in district.sums(60)
    with connect(database.dsn("owner"), autocommit=True) as owner:
        load_water(owner, gauges(("g1", "g2", "g3")))
    district.sweep(65)
    assert district.sums(65)["g3", 1] == district.sums(65)["g1", 1] == (pytest.approx(11.0), 0.083)


def test_counts_raise_colours_and_a_reset_raises_none(district: District) -> None:
    district.say("g1", steady(0, 20, 5_000.0, 0.0))
    district.say("g1", steady(20, 40, 0.0, 0.0))  # a reset: no rain of 5,000 mm
    assert district.alerts("rain") == []
    district.say("g1", steady(40, 300, 0.0, 0.25))  # 15 mm in an hour: 45 mm in three, 50 mm in six after 200 min
    [(subject, kind, level, is_open, zh)] = district.alerts("rain")
    assert (subject, kind, level, is_open) == ("g1", "rain", 2, True)
    assert "6 小时降雨" in zh and "国家暴雨预警信号" in zh
    district.say("g1", steady(300, 340, 65.0, 0.6))
    assert district.alerts("rain")[0][2] == 3
    district.say("g1", steady(340, 400, 89.0, 1.2))
    assert district.alerts("rain")[0][2] == 4
    assert len(district.alerts("rain")) == 1
