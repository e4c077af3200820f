"""How many bad rows are too many? A few are quarantined; a flood means that we are wrong, not the rows."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Poison(msgspec.Struct, frozen=True):
    """Dead letters in a row, and of the current minute of the log."""

    in_a_row: int = 0
    minute: datetime | None = None
    rows: int = 0
    dead: int = 0


class PoisonLimits(msgspec.Struct, frozen=True):
    in_a_row: int = 20
    share: float = 0.01
    dead_at_least: int = 20  # below this many a share says nothing: one bad row of ten is not a flood


def count(state: Poison, minute: datetime | None, good: int, dead: int) -> Poison:
    """The state after a record with `good` good rows and `dead` dead ones; `minute` is the log's clock."""
    if minute is not None:
        minute = minute.replace(second=0, microsecond=0)
    same = state.minute == minute
    return Poison(
        in_a_row=0 if good else state.in_a_row + dead,
        minute=minute,
        rows=(state.rows if same else 0) + good + dead,
        dead=(state.dead if same else 0) + dead,
    )


def is_flood(state: Poison, limits: PoisonLimits) -> bool:
    if state.in_a_row > limits.in_a_row:
        return True
    return state.dead > limits.dead_at_least and state.dead > limits.share * state.rows
