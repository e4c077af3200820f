"""Which version does a share window that came by message become? Pure: versions are never edited in place."""

from __future__ import annotations

from datetime import datetime

import msgspec

from schemas.registers import ShareWindow, ShareWindowChange

_NOT_CONTENT = ("version", "received_at", "lot_id")


def next_version(latest: ShareWindow | None, change: ShareWindowChange, lot_id: str | None) -> ShareWindow | None:
    """The version that the change makes after `latest`, or None when it says nothing new or comes late.

    A version older than the latest one in the log order of its window is history that was superseded before it came.
    """
    if latest is not None and change.received_at < latest.received_at:
        return None
    made = ShareWindow(
        window_id=change.window_id,
        version=1 if latest is None else latest.version + 1,
        lot_id=lot_id,
        source=change.source,
        ref=change.ref,
        pool=change.pool,
        spaces=change.spaces,
        weekdays=change.weekdays,
        start=change.start,
        end=change.end,
        entry_only=change.entry_only,
        exclusive=change.product != "window",  # hourly and monthly shares are bays of their own: they add up
        valid_from=change.valid_from,
        valid_to=change.valid_to,
        received_at=change.received_at,
        withdrawn_at=_withdrawn_at(latest, change),
    )
    return None if latest is not None and _content(latest) == _content(made) else made


def _withdrawn_at(latest: ShareWindow | None, change: ShareWindowChange) -> datetime | None:
    if not change.withdrawn:
        return None
    return latest.withdrawn_at if latest is not None and latest.withdrawn_at else change.received_at


def _content(window: ShareWindow) -> dict[str, object]:
    return {key: value for key, value in msgspec.structs.asdict(window).items() if key not in _NOT_CONTENT}
