"""One sample over a line, and then nothing: it is told as what it is, and never kept in silence."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from schemas.water_registers import Neighbour
from sql.registers import load_water
from tests.conftest import Database
from tests.streams.water.river import station, thresholds
from tests.streams.water.swept import NAMES, City, every_five, register_of, said, wipe

pytestmark = pytest.mark.stack
KIND = "flood_unconfirmed"
TOLD = "select subject, level, certainty, ended_at is null from alert where kind like '%unconfirmed' order by 1"


@pytest.fixture
def city(database: Database) -> Iterator[City]:
    """s0 and s1 are neighbours; a level wants a second sample within two minutes; s2 may rise 0.2 m a minute."""
    found = City(database)
    register = register_of(
        NAMES[:3],
        stations=tuple(station(name, rate=0.2 if name == "s2" else None) for name in NAMES[:3]),
        thresholds=tuple(each for name in NAMES[:3] for each in thresholds(name, confirm_max_s=120)),
        neighbours=(Neighbour(station_id="s0", neighbour_id="s1", kind="downstream"),),
    )
    load_water(found.owner, msgspec.structs.replace(register, basins=()))
    yield found
    found.close()


def test_a_crossing_after_which_nothing_comes_is_likely_when_it_is_overdue(city: City) -> None:
    city.live([*every_five(["s0"], 0, 5), said("s0", 10, 2.6)], 20)
    assert city.events(KIND) == [(12, "raised", 1, 4, None)]
    assert city.ask(TOLD) == [("s0", 4, "likely", True)]
    zh, en = city.ask("select sentence_zh, sentence_en from alert where kind = 'flood_unconfirmed'")[0]
    assert "待核实（红色）" in zh and "by this sample alone" in en
    assert city.events("flood") == []


def test_the_next_sample_decides_and_it_is_over(city: City) -> None:
    city.live([*every_five(["s0"], 0, 5), said("s0", 10, 2.6), said("s0", 15, 2.7)], 17)
    assert city.events(KIND) == [(12, "raised", 1, 4, None), (16, "ended", 2, 4, None)]
    assert [row[1:4] for row in city.events("flood")] == [("raised", 1, 4)]
    city.live([*every_five(["s1"], 18, 20), said("s1", 25, 2.6), said("s1", 30, 0.5)], 32)
    assert city.ask(TOLD) == [("s0", 4, "likely", False), ("s1", 4, "likely", False)]
    en = "select sentence_en from alert where subject = 's1' and kind like '%unconfirmed'"
    assert "does not bear it out" in city.ask(en)[0][0]


def test_a_jump_that_nothing_confirms_is_possible(city: City) -> None:
    city.live([*every_five(["s2"], 0, 5), said("s2", 10, 2.6)], 20)
    assert city.ask(TOLD) == [("s2", 4, "possible", True)]


def test_what_a_neighbour_bears_out_is_likely_at_once(city: City) -> None:
    city.live([*every_five(["s0", "s1"], 0, 5), said("s0", 10, 2.1), said("s1", 10, 2.6)], 11)
    assert city.ask(TOLD) == [("s0", 3, "likely", True), ("s1", 4, "likely", True)]
    agreeing = city.ask("select detail -> 'agreeing' from alert where kind = 'flood_unconfirmed' order by subject")
    assert agreeing == [(["s1"],), (["s0"],)]


def test_a_sample_that_is_confirmed_in_time_is_never_in_doubt(city: City) -> None:
    city.live([*every_five(["s0"], 0, 5), said("s0", 10, 2.6), said("s0", 10.5, 2.6)], 20)
    assert city.events(KIND) == []


def test_a_higher_level_that_nothing_confirms_is_told_beside_the_alert_that_stands(city: City) -> None:
    city.live([*every_five(["s0"], 0, 5), said("s0", 10, 1.2), said("s0", 10.5, 1.2), said("s0", 15, 2.6)], 18)
    assert [row[1:4] for row in city.events("flood")] == [("raised", 1, 1)]
    assert city.ask(TOLD) == [("s0", 4, "likely", True)]


def test_old_data_are_nobodys_alarm(city: City) -> None:
    city.live([*every_five(["s0"], 0, 5), said("s0", 10, 2.6, heard=40)], 50)
    assert city.events(KIND) == []


def test_minutes_that_are_judged_late_say_the_same(city: City, database: Database) -> None:
    """As the takes found them: what one take both brings and decides is never told."""
    readings = [*every_five(["s0"], 0, 5), said("s0", 10, 2.6), said("s0", 15, 2.7), said("s2", 0, 0.5)]
    readings += [said("s2", 5, 2.6)]
    city.live(readings, 30)
    live = city.events(KIND), city.ask(TOLD)
    assert len(live[0]) == 3
    wipe(city)
    city.owner.execute("truncate water_doubt")
    again = City(database)
    again.late(readings, 30, together=1)
    assert (again.events(KIND), again.ask(TOLD)) == live
    again.close()
