"""One minute of the district: every lot in it, nothing guessed, nothing moved backward."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.minute import LotMinute, SourceMinute
from schemas.settings import District
from streams.parking.forecast import ForecastInput, Score
from streams.parking.minute import Beside, MinuteResult, Recent, content, minute
from streams.parking.register_view import view_of
from tests.streams.parking.district import (
    LIMITS,
    MINUTE,
    at,
    claim,
    lot,
    one,
    pool,
    register,
    run,
    seen,
    window,
)

NOW = at("10:00")


def reported(free: int | None = 18, **values: Any) -> LotMinute:
    return one(run([seen(free, at("09:59:50"), **values)], NOW))


def test_a_reading_becomes_the_lots_minute() -> None:
    found = reported()
    assert (found.status, found.opening_status, found.available, found.capacity, found.occupied) == (
        "open", "open", 18, 100, 82,
    )  # fmt: skip
    assert (found.freshness, found.age_s, found.reason, found.source, found.mode) == (
        "fresh", 10, None, "op-jst", "count",
    )  # fmt: skip
    assert (found.status_since, found.quality_score) == (NOW, 1.0)
    assert found.thresholds == {"almost_full": [10, 13], "full": [1, 2]}


def test_zero_is_full_and_missing_is_unknown() -> None:
    assert (reported(0).status, reported(0).available) == ("full", 0)
    missing = reported(None)
    assert (missing.status, missing.available, missing.reason) == ("unknown", None, "no_number")


def test_a_lot_that_never_reported_is_there() -> None:
    result = run([], NOW, register([lot("a"), lot("b")]))
    assert [each.lot_id for each in result.lots] == ["a", "b"]
    for each in result.lots:
        assert (each.status, each.freshness, each.available, each.reason) == (
            "unknown", "never", None, "never_reported",
        )  # fmt: skip
        assert each.capacity == 100


@pytest.mark.parametrize(
    ("values", "status", "reason"),
    [
        ({"mode": "closed"}, "closed", "closed_by_source"),
        ({"source_status": "closed"}, "closed", "closed_by_source"),
        ({"source_status": "fault"}, "unknown", "fault"),
        ({"mode": "flag", "source_status": "open"}, "open", "flag_only"),
        ({"mode": "flag", "source_status": "full"}, "full", "flag_only"),
        ({"mode": "flag"}, "unknown", "no_number"),
        ({"mode": "graded", "free_max": 60}, "unknown", "graded_only"),
        ({"mode": "graded", "free_max": 9}, "almost_full", "graded_only"),
        ({"observed_at": None}, "unknown", "no_observation_time"),
        ({"observed_at": None, "time_basis": "ingest"}, "open", None),
        ({"free": -50}, "unknown", "drift"),
        ({"free": 300}, "unknown", "invalid"),
    ],
)
def test_what_the_source_says(values: dict[str, Any], status: str, reason: str | None) -> None:
    found = reported(values.pop("free", 18), **values)
    assert (found.status, found.reason) == (status, reason)


def test_closed_wins_and_publishes_zero_whatever_it_counts() -> None:
    found = reported(82, mode="closed")
    assert (found.available, found.available_max, found.opening_status) == (0, 0, "closed")
    assert "closed_with_spaces" in found.flags


def test_what_was_closed_once_stays_closed_until_the_source_opens_it() -> None:
    rows = [seen(18, at("09:00"), mode="closed")]
    assert one(run(rows, at("12:00"))).status == "closed"
    rows.append(seen(18, at("11:59:50")))
    assert one(run(rows, at("12:00"))).status == "open"


def test_closed_by_the_calendar_within_the_minute() -> None:
    known = register([lot(opening_hours="Mo-Su 07:00-22:00")])
    rows = [seen(18, at("21:58:50")), seen(18, at("21:59:50"))]
    assert one(run(rows, at("21:59"), known)).status == "open"
    found = one(run(rows, at("22:00"), known))
    assert (found.status, found.available, found.reason) == ("closed", 0, "outside_opening_hours")


def test_hours_that_are_not_known_are_not_guessed() -> None:
    for hours in (None, "sunrise-sunset"):
        known = register([lot(opening_hours=hours)])
        found = one(run([seen(18, at("09:59:50"))], NOW, known))
        assert (found.status, found.opening_status) == ("open", "unknown")
        says_open = one(run([seen(18, at("09:59:50"), source_status="open")], NOW, known))
        assert says_open.opening_status == "open"


def test_expired_is_unknown_with_the_last_known() -> None:
    stale = one(run([seen(18, at("09:46"))], NOW))
    assert (stale.status, stale.available, stale.freshness, stale.last_known) == ("open", 18, "stale", None)
    expired = one(run([seen(18, at("09:44"))], NOW))
    assert (expired.status, expired.available, expired.reason) == ("unknown", None, "expired")
    assert expired.last_known == {"available": 18, "at": at("09:44").isoformat()}
    assert one(run([seen(18, at("09:00", "2026-11-22"))], NOW)).reason == "dead"


def test_withdrawn_stands_above_everything() -> None:
    known = register([lot(withdrawn_at=at("09:59"))], windows=[window()])
    found = one(run([seen(18, at("09:59:50"), mode="closed")], NOW, known))
    assert (found.status, found.available, found.reason, found.share) == ("withdrawn", None, "withdrawn", None)
    ended = register([lot(valid_to=at("09:00"))])
    assert one(run([], NOW, ended)).status == "withdrawn"


def test_of_two_sources_the_first_leads_while_it_is_usable() -> None:
    known = register(claims=[claim(priority=1), claim(source="op-b", ref="77", priority=2)])
    other = seen(50, at("09:59:40"), lot_id="77", source="op-b")
    both = one(run([seen(18, at("09:59:50")), other], NOW, known))
    assert (both.source, both.available, both.flags) == ("op-jst", 18, ())
    for lead in (seen(18, at("09:50")), seen(18, at("09:59:50"), source_status="fault")):
        found = one(run([lead, other], NOW, known))
        assert (found.source, found.available) == ("op-b", 50)
        assert "fallback_source" in found.flags
    late = seen(50, at("09:30"), lot_id="77", source="op-b")
    assert one(run([seen(18, at("09:50")), late], NOW, known)).source == "op-jst"  # stale before expired


def test_pools_have_their_own_numbers_and_the_headline_is_the_public_one() -> None:
    known = register(pools=[pool(), pool("disabled", 4), pool("ev", 6)])
    rows = [seen(18, at("09:59:50")), seen(0, at("09:59:50"), pool="disabled"), seen(2, at("09:30"), pool="ev")]
    found = one(run(rows, NOW, known))
    assert (found.available, found.capacity) == (18, 100)
    assert [(each.pool, each.available, each.status) for each in found.pools] == [
        ("disabled", 0, "full"), ("ev", None, "unknown"), ("public", 18, "open"),
    ]  # fmt: skip


def test_a_pool_that_reports_unregistered_is_kept_and_never_summed() -> None:
    result = run([seen(18, at("09:59:50")), seen(7, at("09:59:50"), pool="motorcycle")], NOW)
    extra = one(result).pools[0]
    assert (extra.pool, extra.vehicle, extra.exclusive, extra.available) == ("motorcycle", "motorcycle", False, 7)
    assert result.areas[0].available_now == 18
    assert result.areas[0].spaces_capacity == 100


def test_a_lot_of_motorcycles_alone_says_that_it_has_no_public_spaces() -> None:
    known = register(pools=[pool("motorcycle", 40, vehicle="motorcycle")])
    found = one(run([seen(7, at("09:59:50"), pool="motorcycle")], NOW, known))
    assert (found.status, found.available, found.reason) == ("unknown", None, "no_public_pool")


def test_status_since_dwell_and_hysteresis_over_minutes() -> None:
    free = {"10:00": 14, "10:01": 10, "10:02": 12, "10:03": 14, "10:04": 14, "10:05": 0}
    result: MinuteResult | None = None
    told = []
    for clock, count in free.items():
        result = run([seen(count, at(clock) - timedelta(seconds=10))], at(clock), previous=result)
        told.append((one(result).status, one(result).status_since))
    assert told == [
        ("open", at("10:00")),
        ("open", at("10:00")),  # almost full, but open for only a minute
        ("open", at("10:00")),  # 12 is between enter and leave
        ("open", at("10:00")),
        ("open", at("10:00")),
        ("full", at("10:05")),  # at once
    ]


def test_the_lots_own_thresholds_are_in_force_and_published() -> None:
    known = register([lot(thresholds={"almost_full": [30, 40], "cadence_s": 300, "source": "operator"})])
    found = one(run([seen(25, at("09:52"))], NOW, known))
    assert found.thresholds["almost_full"] == [30, 40]
    assert (found.status, found.freshness) == ("almost_full", "fresh")


def test_a_capacity_that_shrank_in_the_register_keeps_available_within_it() -> None:
    found = one(run([seen(99, at("09:59:50"), capacity=100)], NOW, register(pools=[pool(capacity=85)])))
    assert found.available is not None and found.capacity is not None
    assert found.available <= found.capacity


def test_trend_and_time_to_full_come_from_the_last_quarter_of_an_hour() -> None:
    history = [Recent(at("09:59:50") - timedelta(minutes=n), 18 + n, 82 - n) for n in range(15, 0, -1)]
    found = one(run([seen(18, at("09:59:50"))], NOW, beside=Beside(recent={"garage": history})))
    assert (found.trend, found.fill_per_min, found.ttf_min) == ("increasingQuickly", 1.0, 18)
    assert found.ttf_min_low is not None and found.ttf_min_high is not None
    assert found.ttf_min_low <= 18 <= found.ttf_min_high
    assert reported().trend is None


def test_a_frozen_sensor_is_flagged_and_believed_less() -> None:
    rates = {"garage": [30.0] * 168}
    result: MinuteResult | None = None
    for n in range(40):
        now = NOW + n * MINUTE
        result = run([seen(18, now - timedelta(seconds=10))], now, previous=result, beside=Beside(rates=rates))
    assert result is not None
    found = one(result)
    assert "frozen" in found.flags
    assert (found.available, found.quality_score) == (18, 0.3)


def test_a_wrong_time_zone_is_named_as_the_reason() -> None:
    result: MinuteResult | None = None
    for n in range(32):
        now = NOW + n * MINUTE
        row = seen(18, now - timedelta(hours=8), received_at=now - timedelta(seconds=10))
        result = run([row], now, previous=result)
    assert result is not None
    assert (one(result).status, one(result).reason) == ("unknown", "tz_suspect")


def test_a_voided_reading_falls_back_and_a_correction_takes_its_place() -> None:
    rows = [seen(18, at("09:58:50")), seen(90, at("09:59:50"))]
    assert one(run(rows, NOW)).available == 90
    void = seen(None, NOW, kind="void", supersedes=at("09:59:50"), observed_at=None, received_at=at("10:00:30"))
    assert one(run([*rows, void], NOW)).available == 90  # it came after this minute
    assert one(run([*rows, void], at("10:01"))).available == 18
    right = seen(19, NOW, kind="correct", supersedes=at("09:59:50"), observed_at=None, received_at=at("10:00:30"))
    assert one(run([*rows, right], at("10:01"))).available == 19


def test_a_late_observation_does_not_move_the_state_backward() -> None:
    rows = [seen(18, at("09:59:50"))]
    first = run(rows, NOW)
    late = seen(3, at("09:50"), received_at=at("10:00:30"))
    second = run([*rows, late], at("10:01"), previous=first)
    assert (one(second).available, one(second).observed_at) == (18, at("09:59:50"))
    assert one(second).state["movement"] == one(first).state["movement"]


def test_content_changes_with_what_is_published_and_not_with_ages() -> None:
    rows = [seen(18, at("09:59:50"))]
    first = run(rows, NOW)
    assert first.content_changed
    rows.append(seen(18, at("10:00:50")))
    second = run(rows, at("10:01"), previous=first)
    assert not second.content_changed
    rows.append(seen(17, at("10:01:50")))
    assert run(rows, at("10:02"), previous=second).content_changed
    assert run(rows, at("10:02"), register([lot("garage"), lot("b")]), previous=second).content_changed


def test_content_survives_the_database() -> None:
    known = register(pools=[pool(), pool("shared", 40)], windows=[window()])
    rows = [seen(18, at("09:59:50")), seen(11, at("09:59:50"), pool="shared")]
    found = one(run(rows, NOW, known))
    stored = msgspec.json.decode(msgspec.json.encode(found), type=LotMinute)
    assert content(stored) == content(found)
    before = {"garage": stored}
    again = minute(NOW + MINUTE, view_of(known, LIMITS, District()), [], before)
    assert len(again.lots) == 1


def test_forecasts_are_noted_settled_and_served() -> None:
    week = {minutes: 82 for minutes in range(-120, 61, 15)}
    inputs = ForecastInput([week] * 4, {n: Score(500, 100.0, 900.0) for n in (15, 30, 60)})
    beside = Beside(forecasts={"garage": inputs})
    first = run([seen(18, at("09:59:50"))], NOW, beside=beside)
    horizons = one(first).forecast
    assert horizons is not None and [each.p50 for each in horizons] == [18.0, 18.0, 18.0]
    later = run([seen(10, at("10:14:50"))], at("10:15"), previous=first)
    assert [(each.horizon_min, each.error_model) for each in later.settled] == [(15, 8.0)]
    assert one(later).forecast is None


def test_the_feeds_own_health() -> None:
    known = register([lot("a"), lot("b"), lot("c")])
    rows = [seen(18, at("09:59:50"), "a"), seen(18, at("09:40"), "b"), seen(5, at("09:59:50"), "stranger")]
    view = view_of(known, LIMITS, District())
    result = run(rows, NOW, known)
    assert result.quality.lots_by_freshness == {"expired": 1, "fresh": 1, "never": 1}
    assert result.quality.lots_by_status == {"open": 1, "unknown": 2}
    assert (result.quality.observed_to_minute_p50_s, result.quality.unregistered) == (10.0, 1)
    with_sources = minute(NOW, view, [], {}, sources=[SourceMinute(source="op-jst", state="silent")], unregistered=4)
    assert with_sources.quality.sources[0].state == "silent"
    assert with_sources.quality.unregistered == 4
