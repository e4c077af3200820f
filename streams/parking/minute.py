"""What is one minute of all car parks? From the newest of every series, the register and the minute before; pure.

Every registered lot is in every minute, whether it reports or not. The same arguments give the same minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from schemas.minute import AreaMinute, LotMinute, QualityMinute, SourceMinute
from streams.parking.areas import areas
from streams.parking.forecast import Settled
from streams.parking.latest import Latest
from streams.parking.lot import NOTHING_BESIDE, Beside, Recent, lot_minute
from streams.parking.quality import quality
from streams.parking.register_view import RegisterView, is_claimed, lot_at

__all__ = ["NOTHING_BESIDE", "Beside", "MinuteResult", "Recent", "content", "minute"]


class MinuteResult(msgspec.Struct, frozen=True):
    lots: tuple[LotMinute, ...]  # by lot_id
    areas: tuple[AreaMinute, ...]  # the district first
    quality: QualityMinute
    content_changed: bool  # something published is other than a minute ago, ages and times apart
    settled: tuple[Settled, ...]  # forecasts whose time has come: add them to parking_forecast_score


def minute(
    at: datetime,
    view: RegisterView,
    latest: Iterable[Latest],
    previous: Mapping[str, LotMinute],
    beside: Beside = NOTHING_BESIDE,
    sources: Sequence[SourceMinute] = (),
    revision: int = 1,
    unregistered: int | None = None,
) -> MinuteResult:
    """The minute `at`. `latest` and `beside` must hold nothing that was received later.

    `previous`: the lots of the minute before, by id; empty at the start. `unregistered`: series that no lot claims,
    where `latest` leaves those out.
    """
    said: dict[tuple[str, str], list[Latest]] = {}
    for newest in sorted(latest, key=lambda row: row.key):
        said.setdefault((newest.source, newest.ref), []).append(newest)
    lots: list[LotMinute] = []
    settled: list[Settled] = []
    subdistrict_of: dict[str, str] = {}
    for entry in view.lots:
        registered = lot_at(entry, at)
        if registered is None:
            continue
        lot, is_withdrawn = registered
        before = previous.get(entry.lot_id)
        found, scored = lot_minute(entry, lot, is_withdrawn, said, before, view.calendar, beside, at)
        lots.append(found if revision == 1 else msgspec.structs.replace(found, revision=revision))
        settled += scored
        subdistrict_of[entry.lot_id] = lot.subdistrict_code
    if unregistered is None:
        unclaimed = (rows for (source, ref), rows in said.items() if not is_claimed(view, source, ref, at))
        unregistered = sum(len(rows) for rows in unclaimed)
    return MinuteResult(
        lots=tuple(lots),
        areas=areas(lots, subdistrict_of, view.district, view.subdistricts),
        quality=quality(lots, sources, unregistered),
        content_changed=_is_changed(lots, previous),
        settled=tuple(settled),
    )


def content(lot: LotMinute) -> tuple[Any, ...]:
    """What is published of a lot apart from ages and times of observation: a change of it is a change of the feed."""
    pools = tuple(
        (pool.pool, pool.status, pool.available, pool.available_min, pool.available_max, pool.capacity, pool.occupied,
         pool.mode, pool.freshness, pool.flags, pool.reason, pool.source)
        for pool in lot.pools
    )  # fmt: skip
    predicted = tuple((each.minutes, each.p10, each.p50, each.p90, each.p_space) for each in lot.forecast or ())
    return (
        lot.lot_id, lot.status, lot.opening_status, lot.available, lot.available_min, lot.available_max, lot.capacity,
        lot.occupied, lot.mode, lot.freshness, round(lot.quality_score, 3), lot.flags, lot.trend,
        None if lot.fill_per_min is None else round(lot.fill_per_min, 2), lot.ttf_min, lot.ttf_min_low,
        lot.ttf_min_high, lot.thresholds, pools, lot.share, predicted, lot.reason, lot.source,
    )  # fmt: skip


def _is_changed(lots: Sequence[LotMinute], previous: Mapping[str, LotMinute]) -> bool:
    if len(lots) != len(previous):
        return True
    for lot in lots:
        before = previous.get(lot.lot_id)
        if before is None or content(before) != content(lot):
            return True
    return False
