"""A small district and its minutes, as the register and the streams write them: for tests of the feed and its page."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dashboards.feed.snapshot import Alert, Snapshot, publisher_of, register_at, snapshot_of
from schemas.minute import (
    AreaMinute,
    Horizon,
    LotMinute,
    MinuteRun,
    NextWindow,
    PoolMinute,
    QualityMinute,
    ShareMinute,
    SourceMinute,
)
from schemas.registers import (
    Lot,
    LotSource,
    Operator,
    ParkingRegister,
    Pool,
    Price,
    ShareWindow,
    SourceTerms,
    Subdistrict,
)
from schemas.settings import Settings

MINUTE = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)  # 10:31 in Shenzhen
LOADED_AT = datetime(2026, 11, 1, tzinfo=UTC)
AREAS = (("440303001", "桂园", "Guiyuan"), ("440303002", "黄贝", "Huangbei"), ("440303003", "东门", "Dongmen"))
KINDS = ("garage", "underground", "surface", "on_street", "mechanical")
KIND_OF_MINUTE = ("counted", "counted", "counted", "zero", "expired", "never", "flag", "closed")


def register(lots: int = 24, version: int = 7) -> ParkingRegister:
    """lh-0001 .. in three subdistricts, two operators, each with a public pool; every third shares at night."""
    ids = [f"lh-{number:04d}" for number in range(1, lots + 1)]
    return ParkingRegister(
        version=version,
        subdistricts=tuple(
            Subdistrict(code=code, name_zh=zh, name_en=en, geometry=_square(index))
            for index, (code, zh, en) in enumerate(AREAS)
        ),
        operators=(
            Operator(operator_id="op-a", name_zh="甲停车", name_en="Alpha Parking", contact="a@operator.example"),
            Operator(operator_id="op-b", name_zh="乙停车", name_en="Beta Parking"),
        ),
        source_terms=(
            SourceTerms(source="op-a", licence="CC-BY-4.0", attribution="甲停车 Alpha", url="https://a.example/terms"),
        ),
        lots=tuple(_lot(lot_id, number) for number, lot_id in enumerate(ids, 1)),
        lot_sources=tuple(
            LotSource(source=_source(number), ref=f"P{number}", lot_id=lot_id, valid_from=LOADED_AT)
            for number, lot_id in enumerate(ids, 1)
        ),
        pools=tuple(_pool(lot_id, number) for number, lot_id in enumerate(ids, 1))
        + tuple(
            Pool(lot_id=lot_id, pool="disabled", audience="disabled", capacity=4, valid_from=LOADED_AT)
            for lot_id in ids[::4]
        ),
        prices=tuple(
            Price(
                lot_id=lot_id,
                line=1,
                step_min=30,
                step_price_fen=500,
                free_min=15,
                cap_fen=6000,
                cap_period="day",
                text_zh="首15分钟免费，每30分钟5元",
                text_en="15 min free, then 5 yuan per 30 min",
                valid_from=LOADED_AT,
            )
            for lot_id in ids[::2]
        ),
        share_windows=tuple(
            ShareWindow(
                window_id=f"w-{lot_id}",
                lot_id=lot_id,
                spaces=40,
                weekdays=(1, 2, 3, 4, 5),
                start="08:30",
                end="18:30",
                min_stay_min=30,
                buffer_min=15,
                valid_from=LOADED_AT,
                received_at=LOADED_AT,
            )
            for lot_id in ids[::3]
        ),
    )


def minute_rows(
    of: ParkingRegister, minute: datetime = MINUTE, *, seed: int = 1, revision: int = 1
) -> tuple[LotMinute, ...]:
    """A row for each lot: counted, zero, expired, never seen, a flag, closed: all kinds there are."""
    dice = random.Random(f"{seed} {minute.isoformat()}")
    capacities = {pool.lot_id: pool.capacity or 0 for pool in of.pools if pool.pool == "public"}
    sources = {row.lot_id: row.source for row in of.lot_sources}
    shares = {window.lot_id for window in of.share_windows}
    return tuple(
        _row(
            lot.lot_id, index, capacities[lot.lot_id], sources[lot.lot_id], lot.lot_id in shares, minute, revision, dice
        )
        for index, lot in enumerate(of.lots)
    )


def minute_run(
    rows: tuple[LotMinute, ...],
    *,
    content_seq: int = 100,
    register_version: int = 7,
    computed_after_s: float = 1.5,
    is_late: bool = False,
) -> MinuteRun:
    minute = rows[0].minute
    known = [row for row in rows if row.available is not None]
    return MinuteRun(
        minute=minute,
        revision=rows[0].revision,
        computed_at=minute + timedelta(seconds=computed_after_s),
        clock=minute + timedelta(seconds=1),
        fences={"0": 1200, "1": 1180, "2": 1210, "3": 1195},
        register_version=register_version,
        content_seq=content_seq,
        is_late=is_late,
        areas=(
            AreaMinute(
                code="440303",
                lots_total=len(rows),
                lots_live=len(known),
                spaces_capacity=sum(row.capacity or 0 for row in rows),
                spaces_contract=40 * sum(row.share is not None for row in rows),
                spaces_window_now=40 * sum(row.share is not None for row in rows),
                available_now=sum(row.available or 0 for row in known),
                available_unknown_spaces=sum(row.capacity or 0 for row in rows if row.available is None),
            ),
        ),
        quality=QualityMinute(
            lots_total=len(rows),
            lots_by_freshness=_counts([row.freshness for row in rows]),
            lots_by_status=_counts([row.status for row in rows]),
            observed_to_minute_p50_s=21.0,
            observed_to_minute_p95_s=48.5,
            sources=(
                SourceMinute(
                    source="op-a",
                    state="live",
                    last_success_at=minute,
                    newest_observed_at=minute,
                    lots=12,
                    lots_fresh=9,
                ),
            ),
        ),
    )


def alert(minute: datetime = MINUTE) -> Alert:
    return Alert(
        alert_id="7c0f7b4e-1f60-5d2e-9a53-0f4a4a1c0001",
        kind="source_silent",
        subject="op-b",
        level=2,
        certainty="observed",
        raised_at=minute - timedelta(minutes=4),
        ended_at=None,
        sentence_zh="数据源 op-b 已中断 4 分钟",
        sentence_en="Source op-b has been silent for 4 minutes",
    )


def snapshot(lots: int = 24, minute: datetime = MINUTE, *, seed: int = 1, content_seq: int = 100) -> Snapshot:
    whole = register(lots)
    rows = minute_rows(whole, minute, seed=seed)
    return snapshot_of(
        minute_run(rows, content_seq=content_seq),
        rows,
        register_at(minute, whole, LOADED_AT),
        [alert(minute)],
        publisher_of(Settings()),
    )


def _square(index: int) -> dict[str, Any]:
    west, south = 114.08 + index * 0.02, 22.53
    ring = [[west, south], [west + 0.02, south], [west + 0.02, south + 0.03], [west, south + 0.03], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def _source(number: int) -> str:
    return "op-a" if number % 2 else "op-b"


def _lot(lot_id: str, number: int) -> Lot:
    return Lot(
        lot_id=lot_id,
        valid_from=LOADED_AT,
        name_zh=f"{AREAS[number % 3][1]}第{number}停车场",
        name_en=f"{AREAS[number % 3][2]} car park {number}",
        subdistrict_code=AREAS[number % 3][0],
        operator_id="op-a" if number % 2 else "op-b",
        kind=KINDS[number % len(KINDS)],  # type: ignore[arg-type]
        lat=22.535 + (number % 17) * 0.0021,
        lon=114.09 + (number % 23) * 0.0027,
        address_zh=f"深南东路{number}号",
        opening_hours="24/7" if number % 5 else None,
        entrances=({"entrance_id": "e1", "name_zh": "东门", "lat": 22.54, "lon": 114.1, "shared_users": True},)
        if number % 3 == 0
        else (),
        pricing_verified_at=date(2026, 11, 1),
    )


def _pool(lot_id: str, number: int) -> Pool:
    return Pool(lot_id=lot_id, pool="public", audience="public", capacity=40 + 13 * (number % 20), valid_from=LOADED_AT)


def _row(
    lot_id: str,
    index: int,
    capacity: int,
    source: str,
    shares: bool,
    minute: datetime,
    revision: int,
    dice: random.Random,
) -> LotMinute:
    kind = KIND_OF_MINUTE[index % len(KIND_OF_MINUTE)]
    observed_at = minute - timedelta(seconds=dice.randrange(5, 55))
    base: dict[str, Any] = {
        "minute": minute,
        "lot_id": lot_id,
        "revision": revision,
        "status": "open",
        "status_since": minute - timedelta(minutes=dice.randrange(1, 300)),
        "opening_status": "open",
        "capacity": capacity,
        "mode": "count",
        "observed_at": observed_at,
        "received_at": observed_at + timedelta(seconds=3),
        "time_basis": "lot",
        "freshness": "fresh",
        "age_s": int((minute - observed_at).total_seconds()),
        "quality_score": 0.97,
        "trend": "increasing",
        "thresholds": {"almost_full": [19, 24], "full": [1, 4]},
        "source": source,
    }
    available: int | None = None
    if kind == "counted":
        available = dice.randrange(25, capacity)
        base |= {"available": available, "available_min": available - 2, "available_max": min(available + 2, capacity)}
        base |= {"occupied": capacity - available, "ttf_min": 42, "ttf_min_low": 30, "ttf_min_high": 70}
        base |= {"forecast": _horizons(minute, available, capacity)}
    elif kind == "zero":
        available = 0
        base |= {"available": 0, "available_min": 0, "available_max": 0, "occupied": capacity, "status": "full"}
    elif kind == "expired":
        old = minute - timedelta(minutes=20)
        base |= {"status": "unknown", "freshness": "expired", "observed_at": old, "age_s": 1200, "reason": "expired"}
        base |= {"last_known": {"available": 31, "at": old.isoformat()}, "quality_score": 0.2, "trend": None}
        base |= {"flags": ("stale_source",), "opening_status": "unknown"}
    elif kind == "never":
        base |= {"status": "unknown", "freshness": "never", "observed_at": None, "received_at": None, "age_s": None}
        base |= {"time_basis": None, "mode": None, "reason": "never_reported", "quality_score": 0.0, "trend": None}
        base |= {"opening_status": "unknown"}
    elif kind == "flag":
        base |= {"mode": "flag", "reason": "flag_only", "status": "open", "trend": None}
    else:
        base |= {"status": "closed", "opening_status": "closed", "available": 0, "reason": "closed", "trend": None}
    public = PoolMinute(
        pool="public",
        status=base["status"],
        available=base.get("available"),
        capacity=capacity,
        observed_at=base["observed_at"],
        freshness=base["freshness"],
        reason=base.get("reason"),
        source=source,
    )
    disabled = PoolMinute(
        pool="disabled", audience="disabled", status="open", available=1, capacity=4, observed_at=observed_at,
        freshness="fresh", source=source,
    )  # fmt: skip
    pools = (public, disabled) if index % 4 == 0 else (public,)
    return LotMinute(pools=pools, share=_share(minute, available) if shares else None, **base)


def _share(minute: datetime, available: int | None) -> ShareMinute:
    day = minute.replace(hour=0, minute=0)
    return ShareMinute(
        state="open",
        spaces_contract=40,
        spaces_now=40,
        available=None if available is None else min(available, 11),
        in_use=12,
        held=0,
        last_entry_at=day + timedelta(hours=9, minutes=45),
        must_leave_by=day + timedelta(hours=10, minutes=30),
        next=NextWindow(
            start=day + timedelta(hours=24, minutes=30), end=day + timedelta(hours=34, minutes=30), spaces=40
        ),
        reason=None if available is not None else "expired",
    )


def _horizons(minute: datetime, available: int, capacity: int) -> tuple[Horizon, ...]:
    return tuple(
        Horizon(
            minutes=ahead,
            at=minute + timedelta(minutes=ahead),
            p10=max(0.0, available - ahead / 3),
            p50=float(available),
            p90=min(float(capacity), available + ahead / 3),
            p_space=0.99,
            score=0.21,
            n=1800,
        )
        for ahead in (15, 30, 60)
    )


def _counts(words: list[str]) -> dict[str, int]:
    return {word: words.count(word) for word in sorted(set(words))}
