"""Who is told again, because an alert stands and nobody has it in hand? In the time of the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from streams.alerts.episodes import Change
from streams.water.knowledge import is_reminder_due
from streams.water.rules import ALWAYS, micros
from streams.water.standing import Standing

COUNT: Final = "reminder"  # in the detail; what is told anew has none


def reminders(standing: Iterable[Standing], minute: datetime) -> list[Change]:
    """The alerts of danger that are told once more. One of which something newer was told already is left alone."""
    return [
        _reminder(each, minute)
        for each in standing
        if each.is_danger
        and each.is_newest
        and is_reminder_due(
            each.alert.level,
            each.is_acknowledged,
            ALWAYS if each.told_at is None else micros(each.told_at),
            micros(minute),
        )
    ]


def _reminder(standing: Standing, minute: datetime) -> Change:
    alert = standing.alert
    before = int(alert.detail.get(COUNT, 0))
    again = msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        sentence_zh=_prefix_zh(before + 1) + alert.sentence_zh.removeprefix(_prefix_zh(before)),
        sentence_en=_prefix_en(before + 1) + alert.sentence_en.removeprefix(_prefix_en(before)),
        detail={**alert.detail, COUNT: before + 1},
    )
    return Change(change="updated", at=minute, alert=again)


def _prefix_zh(count: int) -> str:
    return f"第 {count} 次提醒："


def _prefix_en(count: int) -> str:
    return f"Reminder {count}: "
