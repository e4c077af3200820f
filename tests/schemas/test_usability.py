"""A driver asks for an arrival and a stay: what may be promised, and what must stay unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.civil import calendar_of
from schemas.minute import Horizon, LotMinute, ShareMinute
from schemas.registers import ShareWindow
from schemas.usability import Offer, Usability, usability

CALENDAR = calendar_of("Asia/Shanghai", "CN")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-24T{clock}+08:00")


def lot(now: str, available: int | None = 18, **values: Any) -> LotMinute:
    given: dict[str, Any] = {"status": "open", "opening_status": "open", "freshness": "fresh"} | values
    return LotMinute(
        minute=at(now), lot_id="lh-0042", status_since=at(now), quality_score=1.0, available=available, **given
    )


def share(available: int | None, spaces_now: int = 40) -> ShareMinute:
    return ShareMinute(state="open", spaces_contract=40, spaces_now=spaces_now, available=available)


def window(**values: Any) -> ShareWindow:
    given: dict[str, Any] = {"start": "08:30", "end": "18:30", "spaces": 40, "valid_from": SINCE} | values
    return ShareWindow(window_id="w1", lot_id="lh-0042", received_at=SINCE, **given)


def ask(
    found: LotMinute, eta: str, stay_min: int = 60, windows: tuple[ShareWindow, ...] = (), hours: str | None = "24/7"
) -> Usability:
    return usability(found, windows, CALENDAR, hours, at(eta), timedelta(minutes=stay_min))


def basis(offer: Offer | None) -> str | None:
    assert offer is not None
    return offer.basis


def test_soon_what_is_seen_now_counts() -> None:
    found = ask(lot("10:30"), "10:40")
    assert (found.usable, found.spaces, basis(found.public)) == (True, 18, "minute")
    assert ask(lot("10:30", 0), "10:40").usable is False


def test_beyond_a_quarter_of_an_hour_nothing_is_known_without_a_forecast() -> None:
    found = ask(lot("10:30"), "11:00")
    assert (found.usable, found.spaces, found.reason) == (None, None, "no_forecast")


def test_a_lot_that_is_full_now_is_judged_by_the_forecast_for_the_arrival() -> None:
    horizon = Horizon(minutes=30, at=at("11:00"), p10=2.0, p50=9.6, p90=20.0, p_space=0.95, score=0.2, n=500)
    found = ask(lot("10:30", 0, status="full", forecast=(horizon,)), "11:05")
    assert (found.usable, found.spaces, basis(found.public)) == (True, 9, "forecast")


def test_unknown_now_is_unknown_and_not_full() -> None:
    found = ask(lot("10:30", None, status="unknown", freshness="expired", reason="expired"), "10:40")
    assert (found.usable, found.spaces, found.reason) == (None, None, "unknown_now")


def test_twenty_minutes_away_from_a_window_with_twenty_five_left_sees_zero() -> None:
    found = ask(lot("18:05", None, share=share(11), flags=("headline_shared",)), "18:25", 60, (window(),))
    assert found.shared is not None
    assert (found.shared.usable, found.shared.spaces, found.shared.reason) == (False, 0, "window_ends")
    assert found.shared.must_leave_by == at("18:30")


def test_inside_a_window_with_time_left() -> None:
    found = ask(lot("10:30", None, share=share(11), flags=("headline_shared",)), "10:40", 60, (window(buffer_min=15),))
    assert (found.usable, found.spaces, found.must_leave_by) == (True, 11, at("18:15"))
    last = ask(lot("17:10", None, share=share(11), flags=("headline_shared",)), "17:15", 60, (window(buffer_min=15),))
    assert last.usable is True
    late = ask(lot("17:10", None, share=share(11), flags=("headline_shared",)), "17:16", 60, (window(buffer_min=15),))
    assert (late.usable, late.spaces) == (False, 0)


def test_the_windows_own_least_stay_binds_a_short_stop_too() -> None:
    found = ask(
        lot("17:55", None, share=share(11), flags=("headline_shared",)), "18:05", 10, (window(min_stay_min=30),)
    )
    assert found.usable is False


def test_a_window_that_bounds_the_entry_lets_a_car_stay_on() -> None:
    found = ask(
        lot("18:20", None, share=share(11), flags=("headline_shared",)), "18:25", 240, (window(entry_only=True),)
    )
    assert (found.usable, found.spaces, found.must_leave_by) == (True, 11, None)


def test_a_window_that_shrinks_during_the_stay_promises_only_what_remains() -> None:
    later = window(version=2, spaces=30, valid_from=at("11:00"))
    found = ask(lot("10:30", None, share=share(11), flags=("headline_shared",)), "10:40", 60, (window(), later))
    assert (found.usable, found.spaces) == (True, 1)


def test_no_window_at_arrival() -> None:
    found = ask(lot("07:30", 3), "07:40", 60, (window(),))
    assert found.shared is not None
    assert (found.shared.usable, found.shared.reason) == (False, "no_window")
    assert (found.usable, found.spaces) == (True, 3)  # the public spaces are there


def test_closed_at_arrival_and_closing_before_the_driver_leaves() -> None:
    hours = "Mo-Su 07:00-22:00"
    assert ask(lot("22:00"), "22:10", hours=hours).reason == "closed_at_arrival"
    assert ask(lot("21:20"), "21:30", hours=hours).reason == "closes_before_leaving"
    assert ask(lot("20:50"), "21:00", hours=hours).usable is True


def test_closed_by_its_source() -> None:
    closed = lot("10:30", 0, status="closed", opening_status="closed", reason="closed_by_source")
    assert (ask(closed, "10:40").usable, ask(closed, "10:40").reason) == (False, "closed_now")
    assert ask(closed, "11:30").usable is None


def test_unknown_hours_are_said() -> None:
    assert ask(lot("10:30"), "10:40", hours=None).flags == ("opening_hours_unknown",)
    assert ask(lot("10:30"), "10:40", hours="sunrise-sunset").flags == ("opening_hours_unknown",)


def test_withdrawn_past_and_far_ahead() -> None:
    assert ask(lot("10:30", None, status="withdrawn", reason="withdrawn"), "10:40").usable is False
    assert ask(lot("10:30"), "10:00").reason == "in_the_past"
    far = usability(lot("10:30"), (), CALENDAR, "24/7", at("10:30") + timedelta(hours=25), timedelta(hours=1))
    assert (far.usable, far.reason) == (None, "too_far_ahead")
