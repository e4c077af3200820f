"""What is served now? One edition: the files of one minute, and the order in which editions may follow each other."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from dashboards.feed.encodings import Prepared
from dashboards.feed.snapshot import Snapshot
from schemas.registers import ParkingRegister

TICK = timedelta(minutes=1)


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    snapshot: Snapshot
    register: ParkingRegister  # all versions: an arrival tomorrow meets the windows of tomorrow
    files: dict[str, Prepared]  # by path

    @property
    def minute(self) -> datetime:
        return self.snapshot.run.minute

    @property
    def place(self) -> tuple[datetime, int]:
        """Editions are served in this order only, so last_updated never goes backward."""
        return self.snapshot.run.minute, self.snapshot.run.revision

    @property
    def next_tick(self) -> datetime:
        return self.minute + TICK
