"""Shared parking: the formula, the last entry, and the edges of reference parking 6.5, each a test."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.civil import calendar_of
from schemas.minute import ShareMinute
from schemas.registers import CalendarDay, ShareWindow
from streams.parking.share import Seen, expected_returns, share
from tests.streams.parking.district import at, claim, lot, one, pool, register, run, seen, window

CALENDAR = calendar_of("Asia/Shanghai", "CN")


def counted(free: int | None, in_use: int | None = 0, held: int | None = 0, occupied: int | None = None) -> Seen:
    return Seen(free, free, free, occupied, in_use, held, None if free is not None else "expired")


def now(clock: str, seen_now: Seen, *windows: ShareWindow, day: str = "2026-11-24", returns: int = 0) -> ShareMinute:
    return share(windows or (window(),), CALENDAR, at(clock, day), seen_now, returns=returns)


def test_the_lesser_of_contract_and_what_stands_free() -> None:
    assert now("10:00", counted(60, in_use=12, held=3)).available == 25  # 40 - 12 - 3
    assert now("10:00", counted(9, in_use=12)).available == 9
    assert now("10:00", counted(60, in_use=0)).available == 40


def test_the_reserve_of_the_residents_is_kept() -> None:
    assert now("10:00", counted(30), window(reserve=10)).available == 20
    assert now("10:00", counted(30), window(reserve=10), returns=18).available == 12


def test_the_reserve_learned_is_what_nearly_always_suffices() -> None:
    assert expected_returns([]) == 0
    assert expected_returns([-3, -1]) == 0
    assert expected_returns([*range(1, 20), 90]) == 19


def test_half_open_to_the_minute() -> None:
    for clock, spaces, state in [
        ("07:29", 0, "closed"),
        ("07:30", 0, "opening_soon"),
        ("08:29", 0, "opening_soon"),
        ("08:30", 40, "open"),
        ("17:59", 40, "open"),
        ("18:00", 40, "closing"),
        ("18:29", 40, "closing"),
        ("18:30", 0, "closed"),
    ]:
        found = now(clock, counted(60))
        assert (found.spaces_now, found.state) == (spaces, state), clock


def test_last_entry_and_must_leave() -> None:
    stay = window(min_stay_min=45, buffer_min=15)
    found = now("17:00", counted(60), stay)
    assert (found.last_entry_at, found.must_leave_by, found.available) == (at("17:30"), at("18:15"), 40)
    assert now("17:30", counted(60), stay).available == 40
    late = now("17:31", counted(60), stay)
    assert (late.state, late.available, late.spaces_now) == ("last_entry_passed", 0, 40)


def test_crossing_midnight() -> None:
    night = window("19:00", "08:00", min_stay_min=60)
    found = now("23:50", counted(60), night)
    assert (found.available, found.must_leave_by) == (40, at("08:00", "2026-11-25"))
    assert now("07:30", counted(60), night, day="2026-11-25").state == "last_entry_passed"


def test_friday_to_saturday_rule_change() -> None:
    rules = (
        window("18:00", "08:00", 80, weekdays=(1, 2, 3, 4, 5), min_stay_min=60),
        window("00:00", "24:00", 30, weekdays=(6, 7), window_id="w2", min_stay_min=60),
    )
    friday_night = now("23:30", counted(100), *rules, day="2026-11-27")
    assert friday_night.spaces_now == 80
    before_eight = now("07:30", counted(100), *rules, day="2026-11-28")
    assert (before_eight.spaces_now, before_eight.available) == (80, 30)  # only 30 may stay past eight


def test_national_day_make_up_sunday() -> None:
    office = window(weekdays=(1, 2, 3, 4, 5))
    assert now("10:00", counted(60), office, day="2026-09-20").available == 40
    assert now("10:00", counted(60), office, day="2026-10-05").available == 0


def test_a_window_that_shrinks_under_the_cars_inside_is_overstay_and_not_negative() -> None:
    shrunk = window(version=2, spaces=5, valid_from=at("09:00"))
    found = now("10:00", counted(60, in_use=12), window(), shrunk)
    assert (found.available, found.available_min, found.overstay, found.spaces_now) == (0, 0, 7, 5)


def test_overstayers_reduce_the_residents_and_the_next_window() -> None:
    after = now("18:45", counted(60, in_use=6), window(grace_min=30))
    assert (after.overstay, after.available) == (0, 0)  # within the grace
    later = now("19:00", counted(60, in_use=6), window(grace_min=30))
    assert later.overstay == 6
    next_morning = now("08:30", counted(60, in_use=6), window(), day="2026-11-25")
    assert next_morning.available == 34


def test_residents_return_early_and_the_window_closes_early() -> None:
    found = now("17:00", counted(10, in_use=2), window(reserve=10))
    assert (found.available, found.state, found.reason) == (0, "last_entry_passed", "reserve_reached")
    assert "closed_early" in found.flags


def test_a_reservation_that_expires_gives_its_space_back() -> None:
    estate = register(pools=[pool("shared", 40)], windows=[window()])
    held = run([seen(20, at("10:00"), pool="shared", held=5, shared_in_use=20)], at("10:01"), estate)
    expired = run([seen(20, at("10:05"), pool="shared", held=0, shared_in_use=20)], at("10:06"), estate, held)
    shares = one(held).share, one(expired).share
    assert [each.available for each in shares if each] == [15, 20]


def test_a_gate_that_goes_offline_mid_window_is_unknown_and_not_eighty_spaces() -> None:
    estate = register(pools=[pool("shared", 80)], windows=[window(spaces=80)])
    rows = [seen(80, at("10:00"), pool="shared", shared_in_use=0)]
    live = one(run(rows, at("10:01"), estate))
    assert live.share is not None and live.share.available == 80
    for clock in ("10:06", "10:20"):
        silent = one(run(rows, at(clock), estate))
        assert silent.share is not None
        assert (silent.share.available, silent.share.available_max, silent.available) == (None, None, None)
        assert silent.share.reason is not None
        assert (silent.status, silent.reason is not None) == ("unknown", True)


def test_an_estate_without_public_spaces_shows_what_it_shares_and_is_closed_outside() -> None:
    estate = register(pools=[pool("shared", 40)], windows=[window()])
    inside = one(run([seen(11, at("10:00"), pool="shared", shared_in_use=29)], at("10:01"), estate))
    assert (inside.available, inside.status, inside.flags) == (11, "open", ("headline_shared",))
    outside = one(run([seen(11, at("19:00"), pool="shared", shared_in_use=0)], at("19:01"), estate))
    assert (outside.status, outside.available, outside.reason) == ("closed", 0, "outside_window")
    for found, status, available in ((inside, "open", 11), (outside, "closed", 0)):
        assert [(each.status, each.available) for each in found.pools if each.pool == "shared"] == [(status, available)]


def test_without_a_share_marker_the_use_is_bounded_and_flagged() -> None:
    found = now("10:00", counted(60, in_use=None, occupied=10))
    assert (found.available, found.available_min, found.available_max) == (30, 30, 40)
    assert "share_use_estimated" in found.flags
    nothing_certain = now("10:00", counted(60, in_use=None, occupied=200))
    assert (nothing_certain.available, nothing_certain.available_min, nothing_certain.available_max) == (None, 0, 40)
    assert nothing_certain.reason == "share_use_unknown"


def test_an_entry_window_bounds_the_entry_and_not_the_stay() -> None:
    found = now("18:20", counted(60), window(entry_only=True, min_stay_min=120))
    assert (found.available, found.last_entry_at, found.must_leave_by) == (40, at("18:30"), None)


def test_a_withdrawal_takes_effect_at_the_next_minute() -> None:
    withdrawn = window(version=2, withdrawn_at=at("10:00:20"), received_at=at("10:00:20"))
    assert now("10:00", counted(60), window()).spaces_now == 40
    assert now("10:01", counted(60), window(), withdrawn).spaces_now == 0


def test_what_navigation_needs() -> None:
    gate = window(entrance_id="north", eligibility="app", overstay_rule_zh="超时加倍", min_stay_min=30)
    found = now("07:00", counted(60), gate)
    assert (found.opens_at, found.entrance_id, found.eligibility) == (at("08:30"), "north", "app")
    assert found.next is not None
    assert (found.next.start, found.next.end, found.next.spaces) == (at("08:30"), at("18:30"), 40)
    open_now = now("10:00", counted(60), gate)
    assert open_now.opens_at is None
    assert open_now.next is not None and open_now.next.start == at("08:30", "2026-11-25")


def test_a_year_whose_holidays_are_not_published_is_flagged_until_the_register_says() -> None:
    ahead = share((window(),), CALENDAR, at("10:00", "2030-11-26"), counted(60))
    assert "calendar_unconfirmed" in ahead.flags
    known = calendar_of(
        "Asia/Shanghai",
        "CN",
        [CalendarDay(day=at("10:00", f"2030-11-{n}").date(), kind="ordinary", source="notice") for n in (25, 26)],
    )
    assert share((window(),), known, at("10:00", "2030-11-26"), counted(60)).flags == ()


def test_spaces_enrolled_are_an_upper_bound_at_every_hour() -> None:
    night, day = window("19:00", "08:00", 80), window("08:30", "18:30", 30, window_id="w2")
    for clock in ("03:00", "08:15", "12:00"):
        found = now(clock, counted(500), night, day)
        assert found.spaces_contract == 80
        assert found.spaces_now <= 80


def test_two_operators_of_one_garage_are_one_garage() -> None:
    both = register(
        lots=[lot()], claims=[claim(), claim(source="op-b", ref="77", priority=2)], pools=[pool("shared", 40)],
        windows=[window()],
    )  # fmt: skip
    rows = [
        seen(11, at("10:00"), pool="shared", shared_in_use=0),
        seen(12, at("10:00"), lot_id="77", source="op-b", pool="shared", shared_in_use=0),
    ]
    result = run(rows, at("10:01"), both)
    assert result.areas[0].available_now == 11
    assert result.areas[0].spaces_contract == 40


@given(
    minutes=st.integers(0, 60 * 24 * 7),
    free=st.none() | st.integers(0, 300),
    in_use=st.none() | st.integers(0, 100),
    held=st.none() | st.integers(0, 20),
    occupied=st.none() | st.integers(0, 300),
    spaces=st.integers(0, 80),
    min_stay=st.integers(0, 180),
    reserve=st.integers(0, 30),
)
def test_what_is_shared_lies_within_the_windows(
    minutes: int,
    free: int | None,
    in_use: int | None,
    held: int | None,
    occupied: int | None,
    spaces: int,
    min_stay: int,
    reserve: int,
) -> None:
    rules = (
        window("19:00", "08:00", spaces, min_stay_min=min_stay, reserve=reserve, weekdays=(1, 2, 3, 4, 5)),
        window("09:00", "24:00", 25, window_id="w2", weekdays=(6, 7)),
    )
    when = at("00:00") + timedelta(minutes=minutes)
    found = share(rules, CALENDAR, when, counted(free, in_use, held, occupied))
    assert 0 <= found.spaces_now <= found.spaces_contract
    assert (found.overstay is None) == (in_use is None)
    assert found.overstay is None or found.overstay >= 0
    if found.available is None:
        assert found.reason is not None
    else:
        assert 0 <= found.available <= found.spaces_now
    if found.available_min is not None and found.available_max is not None:
        assert 0 <= found.available_min <= found.available_max <= found.spaces_now
    if found.spaces_now == 0:
        assert found.available == 0
        assert found.state in ("closed", "opening_soon")
