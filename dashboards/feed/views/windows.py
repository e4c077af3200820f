"""When may the public use the spaces of others? share_windows.json, the rules as registered."""

from __future__ import annotations

from dashboards.feed.register_records import LotWindows, ShareWindowsData, Window
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import of_register
from schemas.registers import ShareWindow


def share_windows(snapshot: Snapshot) -> bytes:
    windows = snapshot.register.windows
    lots = tuple(
        LotWindows(lot_id=lot.lot_id, windows=tuple(_window(row, snapshot) for row in windows.get(lot.lot_id, ())))
        for lot in snapshot.register.lots
    )
    return of_register(snapshot, ShareWindowsData(time_zone=snapshot.publisher.time_zone, lots=lots))


def _window(row: ShareWindow, snapshot: Snapshot) -> Window:
    return Window(
        window_id=row.window_id,
        version=row.version,
        pool=row.pool,
        spaces=row.spaces,
        weekdays=row.weekdays,
        holiday_rule=row.holiday_rule,
        start=row.start,
        end=row.end,
        entry_only=row.entry_only,
        min_stay_min=row.min_stay_min,
        grace_min=row.grace_min,
        buffer_min=row.buffer_min,
        exclusive=row.exclusive,
        entrance_id=row.entrance_id,
        eligibility=row.eligibility,
        overstay_rule_zh=row.overstay_rule_zh,
        overstay_rule_en=row.overstay_rule_en,
        valid_from=snapshot.local(row.valid_from),
        valid_to=snapshot.local_or_none(row.valid_to),
        withdrawn_at=snapshot.local_or_none(row.withdrawn_at),
    )
