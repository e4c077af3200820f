"""What is published of one car park in one minute, from what its sources say, its register and the minute before?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from schemas.civil import Calendar, local
from schemas.hours import hours_of, is_open
from schemas.minute import LotMinute, Status
from schemas.parking import PUBLIC
from schemas.registers import Lot, LotSource, Pool
from streams.parking import drift, forecast, movement, trend
from streams.parking.forecast import ForecastInput, Settled
from streams.parking.freshness import is_tz_suspect, skew
from streams.parking.headline import Headline, headline, public_pools, withdrawn
from streams.parking.latest import Latest
from streams.parking.movement import Rates
from streams.parking.pools import Counted, count, speaker
from streams.parking.quality import score
from streams.parking.register_view import LotEntry, pools_at, sources_at, unregistered_pool
from streams.parking.shared_pools import published, shared_now
from streams.parking.status import COUNTED, Thresholds, dwelt, of_count, thresholds


class Recent(msgspec.Struct, frozen=True):
    """One of the lot's published counts of the last quarter of an hour."""

    at: datetime  # observed_at, or received_at where there is none
    available: int | None
    occupied: int | None


class Beside(msgspec.Struct, frozen=True):
    """What is known beside the observations. All may be empty: then less is said, never something else."""

    cadences: Mapping[str, float] = {}  # by source
    recent: Mapping[str, Sequence[Recent]] = {}  # by lot, oldest first
    rates: Mapping[str, Rates] = {}  # by lot
    forecasts: Mapping[str, ForecastInput] = {}  # by lot
    returns: Mapping[str, int] = {}  # by lot: residents expected back (share.expected_returns)


NOTHING_BESIDE = Beside()


def lot_minute(
    entry: LotEntry,
    lot: Lot,
    is_withdrawn: bool,
    said: Mapping[tuple[str, str], Sequence[Latest]],
    before: LotMinute | None,
    calendar: Calendar,
    beside: Beside,
    at: datetime,
) -> tuple[LotMinute, list[Settled]]:
    limits = entry.limits[lot.version]
    own = entry.thresholds[lot.version]
    state = {} if before is None else before.state
    zone = ZoneInfo(calendar.time_zone)
    was: dict[str, Status] = {} if before is None else {pool.pool: pool.status for pool in before.pools}
    skews: dict[str, Any] = {}
    counted = []
    for pool, candidates in _pools(entry, said, at):
        spoken = speaker(candidates, at, beside.cadences, limits)
        newest, suspect = spoken.newest, False
        if newest is not None:
            key = "/".join(newest.key)
            skews[key] = skew(state.get("skews", {}).get(key), newest)
            suspect = is_tz_suspect(skews[key], newest)
        capacity = pool.capacity if newest is None or newest.capacity_used is None else newest.capacity_used
        bounds = thresholds(capacity, limits, own if pool.pool == PUBLIC else {})
        counted.append(count(pool, spoken, was.get(pool.pool), bounds, suspect))
    shared, share_speaker = shared_now(entry.windows, counted, calendar, at, beside.returns.get(entry.lot_id, 0))
    hours = None if lot.opening_hours is None else hours_of(lot.opening_hours)
    by_hours = None if hours is None else is_open(hours, calendar, at)
    heads = public_pools(counted)
    head_capacity = _capacity(heads) if heads else (None if shared is None else shared.spaces_contract)
    bounds = thresholds(head_capacity, limits, own)
    status_before = None if before is None else before.status
    found = headline(counted, shared, share_speaker, by_hours, status_before, bounds)
    if is_withdrawn:
        found = withdrawn(found)

    main = found.main
    newest = None if main is None else main.spoken.newest
    rates = beside.rates.get(entry.lot_id)
    followed = _followed(state, main, found, skews, rates, zone)
    flags = found.flags
    if movement.is_frozen(followed.get("movement"), rates, limits) and newest is not None and newest.mode == "count":
        flags = (*flags, "frozen")
    found, flags = _corrected(found, flags, followed.get("drift"), bounds, status_before)
    status = found.status
    if before is not None:
        status = dwelt(status, before.status, before.status_since, at, limits.dwell_s)

    points = _points(beside.recent.get(entry.lot_id, ()), newest, found, limits.trend_window_s)
    rate = trend.rate(points, limits.trend_window_s)
    followed["noise"] = trend.noise(state.get("noise"), points, rate, limits.trend_window_s)
    word = trend.trend(rate, found.capacity, followed["noise"] or 0.0, limits.trend_window_s)
    full_in = trend.time_to_full(found.available, rate, limits, trend.fills(word) and status != "closed")

    known = found.available if status in COUNTED else None
    pending, settled = forecast.settle(entry.lot_id, state.get("pending", ()), known, at, local(calendar, at).date())
    given = beside.forecasts.get(entry.lot_id)
    horizons = None
    if given is not None and known is not None and found.capacity is not None:
        pending = forecast.note(pending, known, found.capacity, given, at)
        horizons = forecast.horizons(known, found.capacity, given, at)
    followed["pending"] = pending

    age = None if main is None else main.spoken.age
    freshness = "never" if age is None else age.freshness
    return (
        LotMinute(
            minute=at,
            lot_id=entry.lot_id,
            status=status,
            status_since=at if before is None or before.status != status else before.status_since,
            opening_status=found.opening,
            available=found.available,
            available_min=found.available_min,
            available_max=found.available_max,
            capacity=found.capacity,
            occupied=found.occupied,
            mode=None if newest is None else newest.mode,
            observed_at=None if newest is None else newest.observed_at,
            received_at=None if newest is None else newest.received_at,
            time_basis=None if newest is None else newest.time_basis,
            freshness=freshness,
            age_s=None if age is None else age.age_s,
            quality_score=score(freshness, status, newest, flags),
            flags=flags,
            trend=word,
            fill_per_min=None if rate is None else round(rate.per_min, 2),
            ttf_min=None if full_in is None else full_in.minutes,
            ttf_min_low=None if full_in is None else full_in.low,
            ttf_min_high=None if full_in is None else full_in.high,
            thresholds=dict(bounds.published()),
            pools=() if is_withdrawn else published(counted, shared),
            share=None if is_withdrawn else shared,
            forecast=horizons,
            last_known=None if found.reason == "no_public_pool" else _last_known(newest, status),
            reason=found.reason,
            source=None if newest is None else newest.source,
            state={key: value for key, value in followed.items() if value},
        ),
        settled,
    )


def _pools(
    entry: LotEntry, said: Mapping[tuple[str, str], Sequence[Latest]], at: datetime
) -> list[tuple[Pool, list[Latest]]]:
    """Every pool that is registered or reports, by name, with who speaks of it in the order of priority."""
    registered = pools_at(entry, at)
    claims: list[LotSource] = sources_at(entry, at)
    by_pool: dict[str, list[Latest]] = {}
    for claim in claims:
        for newest in said.get((claim.source, claim.ref), ()):
            by_pool.setdefault(newest.pool, []).append(newest)
    return [
        (registered.get(name) or unregistered_pool(entry.lot_id, name, not registered), by_pool.get(name, []))
        for name in sorted(registered.keys() | by_pool.keys())
    ]


def _capacity(heads: Sequence[Counted]) -> int | None:
    known = [each.minute.capacity for each in heads if each.minute.capacity is not None]
    return sum(known) if len(known) == len(heads) else None


def _followed(
    state: Mapping[str, Any],
    main: Counted | None,
    found: Headline,
    skews: Mapping[str, Any],
    rates: Rates | None,
    zone: ZoneInfo,
) -> dict[str, Any]:
    """What the next minute needs. What was followed of another series than the one that speaks now is dropped."""
    kept: dict[str, Any] = {"skews": {key: value for key, value in skews.items() if value is not None}}
    newest = None if main is None else main.spoken.newest
    if newest is None or main is None:
        return kept
    series = "/".join(newest.key)
    past: Mapping[str, Any] = state if state.get("series") == series else {}
    occupied = None if found.capacity is None or newest.available is None else found.capacity - newest.available
    kept["series"] = series
    kept["movement"] = movement.follow(past.get("movement"), newest, rates, zone)
    kept["drift"] = drift.follow(past.get("drift"), newest, occupied, found.capacity, newest.at.astimezone(zone))
    return kept


def _corrected(
    found: Headline,
    flags: tuple[str, ...],
    state: dict[str, Any] | None,
    bounds: Thresholds,
    before: Status | None,
) -> tuple[Headline, tuple[str, ...]]:
    """The headline after the drift correction of the night; the pools keep what was counted."""
    if found.available is None or found.status not in COUNTED or not state or not state["correction"]:
        return found, flags
    available = drift.corrected(found.available, found.capacity, state)
    low = min(available, found.available if found.available_min is None else found.available_min)
    high = max(available, found.available if found.available_max is None else found.available_max)
    changed = msgspec.structs.replace(
        found,
        available=available,
        available_min=low,
        available_max=high,
        occupied=None if found.capacity is None else found.capacity - available,
        status=of_count(available, before, bounds),
    )
    return changed, (*flags, "drift_corrected")


def _points(recent: Sequence[Recent], newest: Latest | None, found: Headline, window_s: float) -> list[trend.Point]:
    if newest is None or found.available is None or found.status == "closed" or newest.mode != "count":
        return []
    if found.capacity is None:
        history = [(point.at, -point.available) for point in recent if point.available is not None]
    else:
        history = [(point.at, found.capacity - point.available) for point in recent if point.available is not None]
    now = -found.available if found.capacity is None else found.capacity - found.available
    return trend.points_in(history, (newest.at, now), window_s)


def _last_known(newest: Latest | None, status: Status) -> dict[str, Any] | None:
    if status not in ("unknown", "withdrawn") or newest is None or newest.available is None:
        return None
    if newest.observed_at is None and newest.time_basis != "ingest":
        return None  # its source gave a time that is none: nobody knows when it was true
    return {"available": newest.available, "at": (newest.observed_at or newest.received_at).isoformat()}
