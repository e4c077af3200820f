"""A small honest clock to hold, and how to wait for what must come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime


class HeldClock:
    def __init__(self) -> None:
        self.held: list[datetime] = []

    def hold(self, received_at: datetime) -> Callable[[], None]:
        entry = [received_at]
        self.held.append(received_at)

        def release() -> None:
            if entry:
                self.held.remove(entry.pop())

        return release


async def until(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    """Returns as soon as the condition holds; fails when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s")
        await asyncio.sleep(0.01)
