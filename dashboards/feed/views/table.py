"""What would a spreadsheet show? lots.csv, in UTF-8 with the mark that Excel needs to read Chinese."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.information import shifted
from dashboards.feed.views.status import record
from schemas.minute import LotMinute
from schemas.registers import Lot

BYTE_ORDER_MARK = "\ufeff"
COLUMNS = (
    "lot_id", "name_zh", "name_en", "subdistrict_code", "kind", "lat", "lon", "gcj02_lat", "gcj02_lon", "status",
    "status_since", "opening_status", "available", "available_min", "available_max", "capacity", "shared_state",
    "shared_available", "must_leave_by", "freshness", "age_s", "observed_at", "received_at", "published_at", "trend",
    "ttf_min", "quality_score", "quality_flags", "reason", "source",
)  # fmt: skip
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def lots_csv(snapshot: Snapshot) -> bytes:
    places = {lot.lot_id: lot for lot in snapshot.register.lots}
    text = io.StringIO()
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for lot in snapshot.lots:
        writer.writerow([cell(value) for value in _row(lot, places.get(lot.lot_id), snapshot)])
    return text.getvalue().encode()


def cell(value: Any) -> str:
    """Null is empty, zero is 0; text that a spreadsheet would run as a formula is quoted."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return str(value)


def _row(minute: LotMinute, lot: Lot | None, snapshot: Snapshot) -> list[Any]:
    status = record(minute, snapshot)
    share = status.share
    gcj02 = shifted(lot.lat, lot.lon) if lot else None
    return [
        status.lot_id,
        lot.name_zh if lot else None,
        lot.name_en if lot else None,
        lot.subdistrict_code if lot else None,
        lot.kind if lot else None,
        round(lot.lat, 7) if lot else None,
        round(lot.lon, 7) if lot else None,
        gcj02.lat if gcj02 else None,
        gcj02.lon if gcj02 else None,
        status.status,
        status.status_since,
        status.opening_status,
        status.available,
        status.available_min,
        status.available_max,
        status.capacity,
        share.state if share else None,
        share.available if share else None,
        share.must_leave_by if share else None,
        status.freshness,
        status.age_s,
        status.observed_at,
        status.received_at,
        status.published_at,
        status.trend,
        status.ttf_min,
        status.quality.score,
        " ".join(status.quality.flags),
        status.reason,
        status.source,
    ]
