"""How far may a lot's number be believed, and how healthy is the whole feed this minute?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from schemas.minute import Freshness, LotMinute, QualityMinute, SourceMinute, Status
from streams.parking.latest import Latest

# Guesses, to be tuned against manual counts. Each finding multiplies.
OF_FRESHNESS: dict[Freshness, float] = {
    "fresh": 1.0,
    "aging": 0.9,
    "stale": 0.6,
    "expired": 0.0,
    "dead": 0.0,
    "never": 0.0,
}
OF_MODE = {"count": 1.0, "closed": 1.0, "percent": 0.9, "flag": 0.7, "graded": 0.7}
OF_TIME_BASIS = {"lot": 1.0, "feed": 0.97, "ingest": 0.9}
OF_FLAG = {
    "frozen": 0.3,
    "tz_suspect": 0.3,
    "identity_mismatch": 0.8,
    "placeholder_capacity": 0.8,
    "capacity_jump": 0.9,
    "overfull": 0.95,
    "clamped": 0.95,
    "fallback_source": 0.95,
    "drift_corrected": 0.9,
    "duplicate_key": 0.95,
}


def score(freshness: Freshness, status: Status, newest: Latest | None, flags: Iterable[str]) -> float:
    """0 .. 1; 0 where nothing is known."""
    if newest is None or status in ("unknown", "withdrawn"):
        return 0.0
    found = 1.0 if status == "closed" else OF_FRESHNESS[freshness]
    found *= OF_MODE[newest.mode] * OF_TIME_BASIS[newest.time_basis]
    for flag in flags:
        found *= OF_FLAG.get(flag, 1.0)
    return round(found, 3)


def quality(lots: Sequence[LotMinute], sources: Sequence[SourceMinute], unregistered: int) -> QualityMinute:
    """Lags are of what was observed and still counts: from when it was true to this minute."""
    lags = sorted(
        (lot.minute - lot.observed_at).total_seconds()
        for lot in lots
        if lot.observed_at is not None and lot.freshness in ("fresh", "aging")
    )
    of_source = Counter(lot.source for lot in lots)
    fresh_of_source = Counter(lot.source for lot in lots if lot.freshness == "fresh")
    return QualityMinute(
        lots_total=len(lots),
        lots_by_freshness=dict(sorted(Counter(lot.freshness for lot in lots).items())),
        lots_by_status=dict(sorted(Counter(lot.status for lot in lots).items())),
        observed_to_minute_p50_s=_quantile(lags, 0.5),
        observed_to_minute_p95_s=_quantile(lags, 0.95),
        sources=tuple(
            msgspec.structs.replace(row, lots=of_source[row.source], lots_fresh=fresh_of_source[row.source])
            for row in sources
        ),
        unregistered=unregistered,
    )


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return None if not ordered else ordered[min(len(ordered) - 1, int(share * len(ordered)))]
