"""Is the simulated district the one that was promised, the same everywhere, and sound as a register?"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from demo import registers
from demo.district import LOTS, SHARED_SPACES, lots, lots_of
from demo.faults import counted_after_s, fault_of, reading
from demo.ground import distance_m, gauss_kruger, inside, subdistricts, water
from demo.occupancy import minute_of, occupancy, since_open, time_of
from demo.operators import OPERATORS
from schemas.registers import ParkingRegister
from schemas.settings import Parking, parse
from sql.registers import read_register
from sql.registers.places import to_wgs84
from sql.registers.plan import plan_load
from tests.sql.test_registers import applied

NOON = minute_of(datetime(2026, 11, 24, 4, 0, tzinfo=UTC))  # a Tuesday, 12:00 in Luohu
AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
BOX = (114.05, 22.50, 114.25, 22.65)


def test_313_lots_share_14113_spaces() -> None:
    assert len(lots()) == LOTS == 313
    assert sum(lot.shared for lot in lots()) == SHARED_SPACES == 14_113
    assert sum(operator.lots for operator in OPERATORS) == 313
    assert all(len(lots_of(operator.source)) == operator.lots for operator in OPERATORS)
    assert all(0 < lot.shared < lot.capacity for lot in lots())


def test_names_and_ids_stand_once() -> None:
    for key in ("lot_id", "name_zh", "name_en"):
        assert len({getattr(lot, key) for lot in lots()}) == 313, key
    assert len({(lot.source, lot.ref) for lot in lots()}) == 313


def test_every_lot_lies_in_its_subdistrict_and_not_in_the_reservoir() -> None:
    areas = {area.code: area for area in subdistricts()}
    assert len(areas) == 10
    assert Counter(lot.subdistrict for lot in lots()).keys() == areas.keys()
    for lot in lots():
        assert areas[lot.subdistrict].holds(lot.lon, lot.lat)
        assert not inside(lot.lon, lot.lat, water())
        assert distance_m(lot.gate, (lot.lon, lot.lat)) < 60


def test_another_process_sees_the_same() -> None:
    script = (
        "from demo.district import lots; from demo.faults import reading\n"
        f"print(sum(hash((l.number, l.capacity, reading(l, {NOON}).free or 0)) % 1000003 for l in lots()))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    here = sum(hash((lot.number, lot.capacity, reading(lot, NOON).free or 0)) % 1000003 for lot in lots())
    assert seen == {f"{here}\n"}


def test_counts_are_possible_at_any_minute() -> None:
    for minute in range(NOON, NOON + 8 * 1440, 487):
        for lot in lots():
            taken = occupancy(lot, minute)
            assert taken.own >= 0
            assert taken.shared >= 0
            assert taken.public <= lot.capacity
            assert all(0 <= taken.pools[pool] <= capacity for pool, capacity in lot.pools.items())


def test_counts_move_from_minute_to_minute_without_jumps() -> None:
    lot = max(lots(), key=lambda lot: lot.capacity)
    counts = [occupancy(lot, minute).public for minute in range(NOON, NOON + 240)]
    assert len(set(counts)) > 20
    assert max(abs(a - b) for a, b in pairwise(counts)) < lot.capacity * 0.05


def test_estates_empty_by_day_and_offices_by_night() -> None:
    def share(use: str, minute: int) -> float:
        mine = [lot for lot in lots() if lot.use == use]
        return sum(occupancy(lot, minute).own for lot in mine) / sum(lot.capacity for lot in mine)

    night = NOON + 14 * 60
    assert share("estate", night) > 0.8 > 0.7 > share("estate", NOON)
    assert share("office", NOON) > 0.7 > 0.3 > share("office", night)
    saturday = NOON + 4 * 1440 + 4 * 60
    assert share("mall", saturday) > share("mall", NOON + 4 * 60)
    assert share("office", saturday) < 0.4


def test_the_public_comes_in_the_window_and_leaves_after_it() -> None:
    lot = next(lot for lot in lots() if lot.use == "estate" and lot.window.end == "18:00")
    begin = NOON - (12 * 60 - 510)  # 08:30
    assert since_open(lot, begin - 1) is None
    assert since_open(lot, begin) == 0
    assert since_open(lot, begin + 569) == 569
    assert since_open(lot, begin + 570) is None
    assert occupancy(lot, begin - 1).shared == 0
    assert occupancy(lot, begin + 200).shared > 0
    assert occupancy(lot, begin + 570 + 30).shared == 0


def test_a_window_over_midnight_is_open_on_both_sides() -> None:
    lot = next(lot for lot in lots() if lot.window.start == "22:30")
    midnight = NOON + 12 * 60
    assert since_open(lot, midnight - 90) == 0
    assert since_open(lot, midnight) == 90
    assert since_open(lot, midnight + 9 * 60) is None


def test_every_operator_shows_its_faults_and_most_lots_are_well() -> None:
    kinds: set[tuple[str, str]] = set()
    faulty = minutes = 0
    for minute in range(NOON, NOON + 4 * 1440, 7):
        found = [(lot.source, fault[0]) for lot in lots() if (fault := fault_of(lot, minute)) is not None]
        kinds.update(found)
        faulty += len(found)
        minutes += 1
    assert kinds == {(operator.source, fault) for operator in OPERATORS for fault in operator.faults}
    assert faulty / minutes < 313 * 0.05


def test_what_a_fault_does() -> None:
    seen: dict[str, int] = {}
    for minute in range(NOON, NOON + 2 * 1440, 7):
        for lot in (lot for lot in lots() if fault_of(lot, minute) is not None):
            told = reading(lot, minute)
            age = time_of(minute) + timedelta(seconds=counted_after_s(lot)) - told.observed_at
            if told.fault == "duplicate":
                assert told.free is not None
                assert 0 <= told.free <= told.capacity
            if told.fault == "late":
                assert age <= timedelta(minutes=8)
            else:
                assert age == (-timedelta(minutes=10) if told.fault == "future" else timedelta(0))
            if told.fault == "frozen":
                since = fault_of(lot, minute)
                assert since is not None
                assert told.free == reading(lot, since[1]).free
            if told.fault == "negative":
                assert told.free is not None
                assert told.free < 0
            seen[str(told.fault)] = seen.get(str(told.fault), 0) + 1
    assert {"late", "frozen", "negative", "future", "excess", "missing"} <= seen.keys()


@pytest.fixture(scope="module")
def register() -> ParkingRegister:
    found, problems = read_register(registers.files(), at=AT, box=BOX)
    assert problems == []
    return found


def test_the_register_is_read_without_a_problem(register: ParkingRegister) -> None:
    assert len(register.lots) == 313
    assert len(register.subdistricts) == 10
    bays = sum(len(lot.bays) for lot in lots())
    assert sum(window.spaces for window in register.share_windows) + bays == 14_113
    assert {(row.source, row.ref) for row in register.lot_sources} >= {(lot.source, lot.ref) for lot in lots()}
    by_id = {lot.lot_id: lot for lot in lots()}
    for row in register.lots:
        model = by_id[row.lot_id]
        assert distance_m((row.lon, row.lat), (model.lon, model.lat)) < 0.1


def test_loading_the_register_twice_changes_nothing(register: ParkingRegister) -> None:
    plan = plan_load(ParkingRegister(), register, (), AT, Parking())
    assert plan.holds == []
    loaded = applied(ParkingRegister(), plan)
    later = AT + timedelta(days=1)
    again, problems = read_register(registers.files(), at=later, box=BOX, known=loaded)
    assert problems == []
    assert not plan_load(loaded, again, (), later, Parking()).changes_register


def test_easting_and_northing_are_those_of_the_national_grid() -> None:
    for lot in lots()[::40]:
        easting, northing = gauss_kruger(lot.lat, lot.lon)
        lat, lon = to_wgs84(northing, easting, "EPSG:4547")
        assert distance_m((lon, lat), (lot.lon, lot.lat)) < 0.05


def test_sources_are_settings() -> None:
    from demo.sources import toml

    settings = parse(toml(8100))
    assert {source.name for source in settings.sources} == {operator.source for operator in OPERATORS} | {"demo-njytb"}
    assert len(settings.source("demo-npr").refs) == 10
