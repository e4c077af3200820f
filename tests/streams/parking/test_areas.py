"""The sums of the district: no space twice, and what is not known said beside."""

from __future__ import annotations

from schemas.minute import AreaMinute
from schemas.parking import Observation
from schemas.registers import ParkingRegister
from tests.streams.parking.district import at, claim, lot, pool, register, run, seen, window

NOON, NIGHT = at("12:00"), at("22:00")


def district(rows: list[Observation], known: ParkingRegister, when: str = "12:00") -> AreaMinute:
    return run(rows, at(when), known).areas[0]


def test_capacity_counts_exclusive_pools_only() -> None:
    groups = [pool(f"group_{n}", 117, exclusive=n == 1) for n in range(1, 7)]  # six times the same 117
    known = register(pools=groups)
    rows = [seen(117, at("11:59:50"), pool=each.pool) for each in groups]
    found = district(rows, known)
    assert (found.spaces_capacity, found.available_now) == (117, 117)


def test_a_capacity_that_nobody_knows_is_no_zero_in_the_sum() -> None:
    known = register(lots=[lot("a"), lot("b")], pools=[pool("public", 100, "a"), pool("public", None, "b")])
    found = district([seen(30, at("11:59:50"), "a"), seen(9, at("11:59:50"), "b")], known)
    assert (found.spaces_capacity, found.lots_capacity_unknown, found.available_now) == (100, 1, 39)


def test_shared_spaces_that_lie_within_the_public_count_are_counted_once() -> None:
    known = register(windows=[window(pool="public")])
    found = district([seen(30, at("11:59:50"), shared_in_use=0)], known)
    assert (found.available_now, found.spaces_window_now, found.spaces_contract) == (30, 40, 40)


def test_shared_spaces_of_their_own_add() -> None:
    known = register(pools=[pool(), pool("shared", 40)], windows=[window()])
    rows = [seen(30, at("11:59:50")), seen(11, at("11:59:50"), pool="shared", shared_in_use=0)]
    found = district(rows, known)
    assert (found.available_now, found.spaces_capacity) == (41, 140)


def test_a_mall_that_shares_at_night_and_an_estate_that_shares_by_day_are_never_both_summed() -> None:
    known = register(
        lots=[lot("estate"), lot("mall")],
        pools=[pool("shared", 40, "estate"), pool("shared", 300, "mall")],
        windows=[
            window(lot_id="estate", weekdays=(1, 2, 3, 4, 5)),
            window("20:00", "08:00", 300, lot_id="mall", window_id="w2"),
        ],
    )
    for clock, spaces in (("12:00", 40), ("19:00", 0), ("22:00", 300)):
        rows = [
            seen(free, at(f"{clock}:00"), name, pool="shared", shared_in_use=0)
            for name, free in (("estate", 40), ("mall", 300))
        ]
        found = run(rows, at(f"{clock}:30"), known).areas[0]
        assert (found.spaces_window_now, found.available_now, found.spaces_contract) == (spaces, spaces, 340)


def test_two_sources_of_one_garage_count_once() -> None:
    known = register(claims=[claim(), claim(source="op-b", ref="77", priority=2)])
    rows = [seen(30, at("11:59:50")), seen(31, at("11:59:55"), "77", source="op-b")]
    assert district(rows, known).available_now == 30


def test_what_is_not_known_is_listed_and_not_extrapolated() -> None:
    known = register(lots=[lot("a"), lot("b"), lot("c", subdistrict_code="440303002")])
    result = run([seen(30, at("11:59:50"), "a")], NOON, known)
    whole, first, second = result.areas
    assert (whole.code, first.code, second.code) == ("440303", "440303001", "440303002")
    assert (whole.lots_total, whole.lots_live, whole.available_now, whole.available_unknown_spaces) == (3, 1, 30, 200)
    assert (first.lots_total, first.lots_live, second.lots_total, second.lots_live) == (2, 1, 1, 0)


def test_a_subdistrict_without_lots_is_there_and_a_withdrawn_lot_is_not() -> None:
    known = register(lots=[lot("a"), lot("b", withdrawn_at=at("11:00"))])
    whole, _, empty = run([], NOON, known).areas
    assert (whole.lots_total, empty.code, empty.lots_total) == (1, "440303002", 0)


def test_closed_lots_offer_nothing() -> None:
    known = register([lot(opening_hours="Mo-Su 07:00-11:00")])
    found = district([seen(30, at("11:59:50"))], known)
    assert (found.available_now, found.available_unknown_spaces, found.lots_live) == (0, 0, 1)
