"""Since when does the log speak without a hole? What a station said in one was heard by nobody, so it is no silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta


def watching_since(
    before: datetime | None, report_times: Sequence[datetime], since: datetime, minute: datetime, blind: timedelta
) -> datetime:
    """The end of the newest hole up to `minute`; the minute itself while the log is silent.

    before        what this said a minute ago; None: the sweep begins here
    report_times  when any source reported in (since, minute], in order; `since` is a minute and a hole's length ago
    """
    watching = minute if before is None else before
    earlier = since
    for at in report_times:
        if at - earlier > blind:
            watching = max(watching, at)
        earlier = at
    return minute if minute - earlier > blind else watching
