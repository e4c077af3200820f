"""Recorded rows become the minute that the feed would have published."""

from __future__ import annotations

from datetime import timedelta

from schemas.registers import ParkingRegister
from schemas.settings import District
from streams.parking.replay import replay
from tests.streams.parking.district import LIMITS, at, one, run, seen

NOW = at("10:00")


def test_without_a_register_every_source_and_ref_is_a_lot() -> None:
    rows = [
        seen(68, at("09:59:30"), "SK24", source="hdb", capacity=181),
        seen(200, at("09:59:30"), "SK24", source="hdb", pool="motorcycle", capacity=181),
        seen(0, at("09:59:30"), "A1", source="hdb", capacity=60),
        seen(5, at("10:00:30"), "later", source="hdb"),
    ]
    result = replay(rows, ParkingRegister(), NOW, LIMITS, District())
    assert [each.lot_id for each in result.lots] == ["hdb/A1", "hdb/SK24"]
    assert (one(result, "hdb/A1").status, one(result, "hdb/A1").capacity) == ("full", 60)
    first = one(result, "hdb/SK24")
    assert (first.status, first.available, first.capacity, first.opening_status) == ("open", 68, 181, "unknown")
    assert [(each.pool, each.available, each.reason) for each in first.pools] == [
        ("motorcycle", None, "invalid"),
        ("public", 68, None),
    ]
    assert result.areas[0].available_now == 68


def test_a_source_that_counts_cars_is_read_by_its_occupied() -> None:
    rows = [seen(46, at("09:59:30"), source="vrn", occupied=6, capacity=87)]
    found = replay(rows, ParkingRegister(), NOW, LIMITS, District(), {"vrn": "occupied"})
    assert (found.lots[0].available, found.lots[0].available_min, found.lots[0].available_max) == (81, 46, 81)


def test_the_same_rows_give_the_same_minutes_however_often() -> None:
    rows = [seen(n % 40, at("09:00") + timedelta(minutes=n)) for n in range(60)]
    one_way = [run(rows, at("09:30") + timedelta(minutes=n)) for n in range(20)]
    again = [run(list(reversed(rows)), at("09:30") + timedelta(minutes=n)) for n in range(20)]
    assert one_way == again
