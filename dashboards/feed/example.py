"""What does a minute look like? Two lots, one known and one unknown: the examples of /openapi.json. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from dashboards.feed.snapshot import Snapshot, publisher_of, register_at, snapshot_of
from schemas.minute import AreaMinute, Horizon, LotMinute, MinuteRun, PoolMinute, QualityMinute, ShareMinute
from schemas.registers import Lot, ParkingRegister, Pool, Price, ShareWindow, SourceTerms, Subdistrict
from schemas.settings import Settings

MINUTE = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)
FROM = datetime(2026, 11, 1, tzinfo=UTC)


def example() -> Snapshot:
    lots = (_known(), _unknown())
    run = MinuteRun(
        minute=MINUTE,
        revision=1,
        computed_at=MINUTE + timedelta(seconds=1),
        clock=MINUTE + timedelta(seconds=1),
        fences={"0": 4711},
        register_version=3,
        content_seq=1042,
        is_late=False,
        areas=(
            AreaMinute(
                code="440303",
                lots_total=2,
                lots_live=1,
                spaces_capacity=306,
                spaces_contract=40,
                spaces_window_now=40,
                available_now=18,
                available_unknown_spaces=120,
            ),
        ),
        quality=QualityMinute(
            lots_total=2,
            lots_by_freshness={"fresh": 1, "expired": 1},
            lots_by_status={"almost_full": 1, "unknown": 1},
            observed_to_minute_p50_s=39.0,
            observed_to_minute_p95_s=39.0,
        ),
    )
    register = ParkingRegister(
        version=3,
        subdistricts=(Subdistrict(code="440303005", name_zh="南湖", name_en="Nanhu", geometry={}),),
        source_terms=(SourceTerms(source="op-jst", licence="CC-BY-4.0", attribution="JST"),),
        lots=(_lot("lh-0042", "罗湖商业城停车场", "Luohu Commercial City"), _lot("lh-0043", "渔邨停车场", "Yucun")),
        pools=(Pool(lot_id="lh-0042", pool="public", audience="public", capacity=186, valid_from=FROM),),
        prices=(Price(lot_id="lh-0042", line=1, step_min=30, step_price_fen=500, free_min=15, valid_from=FROM),),
        share_windows=(
            ShareWindow(
                window_id="w-0042",
                lot_id="lh-0042",
                spaces=40,
                weekdays=(1, 2, 3, 4, 5),
                start="08:30",
                end="18:30",
                valid_from=FROM,
                received_at=FROM,
            ),
        ),
    )
    return snapshot_of(run, lots, register_at(MINUTE, register, FROM), (), publisher_of(Settings()))


def _lot(lot_id: str, name_zh: str, name_en: str) -> Lot:
    return Lot(
        lot_id=lot_id,
        valid_from=FROM,
        name_zh=name_zh,
        name_en=name_en,
        subdistrict_code="440303005",
        kind="underground",
        lat=22.5329,
        lon=114.1187,
        opening_hours="24/7",
        pricing_verified_at=date(2026, 11, 1),
    )


def _known() -> LotMinute:
    observed_at = MINUTE - timedelta(seconds=39)
    return LotMinute(
        minute=MINUTE,
        lot_id="lh-0042",
        status="almost_full",
        status_since=MINUTE - timedelta(minutes=12),
        opening_status="open",
        available=18,
        available_min=16,
        available_max=18,
        capacity=186,
        occupied=168,
        mode="count",
        observed_at=observed_at,
        received_at=observed_at + timedelta(seconds=3),
        time_basis="lot",
        freshness="fresh",
        age_s=39,
        quality_score=0.97,
        trend="increasing",
        ttf_min=12,
        ttf_min_low=9,
        ttf_min_high=17,
        thresholds={"almost_full": [19, 24], "full": [1, 4]},
        pools=(
            PoolMinute(pool="disabled", audience="disabled", status="open", available=1, capacity=4, freshness="fresh"),
        ),
        share=ShareMinute(
            state="open",
            spaces_contract=40,
            spaces_now=40,
            available=11,
            last_entry_at=MINUTE + timedelta(hours=7, minutes=14),
            must_leave_by=MINUTE + timedelta(hours=7, minutes=59),
        ),
        forecast=(
            Horizon(
                minutes=15,
                at=MINUTE + timedelta(minutes=15),
                p10=2.0,
                p50=9.0,
                p90=17.0,
                p_space=0.94,
                score=0.21,
                n=1800,
            ),
        ),
        source="op-jst",
    )


def _unknown() -> LotMinute:
    old = MINUTE - timedelta(minutes=21)
    return LotMinute(
        minute=MINUTE,
        lot_id="lh-0043",
        status="unknown",
        status_since=MINUTE - timedelta(minutes=6),
        opening_status="unknown",
        capacity=120,
        mode="count",
        observed_at=old,
        received_at=old,
        time_basis="lot",
        freshness="expired",
        age_s=1260,
        quality_score=0.2,
        last_known={"available": 31, "at": old.isoformat()},
        reason="expired",
        source="op-jst",
    )
