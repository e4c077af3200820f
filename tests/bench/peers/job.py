"""What is a peer asked to do, and what does it answer? Runs in the peers' environment: nothing of the platform here.

Every peer does less than the worker: no fence, no check of the contract, no clamps, no dead letters, no state.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

# Of an observation as it travels -> the column, where they are named alike.
SAME = (
    "observed_at", "received_at", "mode", "free", "occupied", "capacity", "in_count", "out_count", "inside",
    "shared_in_use", "held", "free_max", "percent_occupied", "time_basis", "source_status", "raw_ref",
)  # fmt: skip
COLUMNS = (
    "series_id", "at", *SAME, "flags", "available", "available_min", "available_max", "capacity_used", "overflow",
)  # fmt: skip


def given() -> dict[str, Any]:
    """bootstrap, topic, group, rows, records, and the parts of a connection: host, port, dbname, user, password."""
    found: dict[str, Any] = json.load(sys.stdin)
    return found


def stored(row: dict[str, Any], series: dict[tuple[str, str, str], int]) -> dict[str, Any]:
    """The row of the table. Times stay text: the server reads them."""
    free = row.get("free")
    found = {name: row.get(name) for name in SAME}
    found["series_id"] = series[row["source"], row["ref"], row.get("pool", "public")]
    found["at"] = row.get("observed_at") or row["received_at"]
    found["mode"] = row.get("mode", "count")
    found["time_basis"] = row.get("time_basis", "lot")
    found["available"] = found["available_min"] = found["available_max"] = free
    found["capacity_used"] = row.get("capacity")
    found["overflow"] = 0
    flags = row.get("flags")
    found["flags"] = "{" + ",".join(flags) + "}" if flags else None  # as text: the sink of quix makes lists to JSON
    return found


class Meter:
    """From the first commit to the last: rows, seconds, CPU of this process."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._rows = 0
        self._first: tuple[int, float, float] | None = None

    def committed(self, rows: int) -> bool:
        """True when all are in."""
        self._rows += rows
        now = (self._rows, time.perf_counter(), time.process_time())
        if self._first is None:
            self._first = now
        if self._rows < self._total:
            return False
        counted = max(1, now[0] - self._first[0])
        seconds, cpu = now[1] - self._first[1], now[2] - self._first[2]
        answer = {"rows_per_s": counted / max(seconds, 1e-9), "client_us": cpu / counted * 1e6, "counted": counted}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        return True
