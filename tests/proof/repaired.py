"""A source that was set up wrongly: its dataset's names are not told, so that nothing of it can be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.proof.lots import Supply, counted

MISSING = {"options": {"fields": {"ref": "garage", "free": "now.free", "capacity": "now.of", "time": "stamp"}}}
LOT = counted("mended", "Z1", 0, 30, "full", why="its names are told later")


def _document(now: datetime, path: str) -> bytes:
    """The names are the dataset's own, the counts JSON in a string. 0 free is a reading."""
    stamp = now.astimezone(UTC).isoformat()
    return json.dumps([{"garage": "Z1", "stamp": stamp, "now": json.dumps({"free": 0, "of": 30})}]).encode()


ONCE_S = 365 * 86_400.0  # asked at the start, and not again on the hour in the middle of the test
SUPPLY = Supply(
    name="mended", decoder="opendatasoft", zone="Asia/Shanghai", document=_document, table={"cadence_s": ONCE_S}
)
