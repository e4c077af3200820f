"""A car park that nobody has heard of for a day is an alert of its own only while its source lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.minute import LotMinute, SourceMinute
from streams.parking.dead import findings

AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


def lot(**fields: Any) -> LotMinute:
    said: dict[str, Any] = {
        "minute": AT,
        "lot_id": "lh-0001",
        "status": "unknown",
        "status_since": AT,
        "opening_status": "unknown",
        "freshness": "dead",
        "quality_score": 0.0,
        "observed_at": AT - timedelta(days=2),
        "source": "op",
    }
    return LotMinute(**(said | fields))


@pytest.mark.parametrize(
    ("fields", "state", "found", "cleared"),
    [
        ({}, "live", 1, 0),
        ({}, "late", 1, 0),
        ({}, "silent", 0, 0),  # one alert for the feed, none for its lots
        ({"freshness": "expired"}, "live", 0, 1),
        ({"freshness": "fresh", "status": "open"}, "live", 0, 1),
        ({"freshness": "never", "observed_at": None}, "live", 0, 1),
        ({"status": "withdrawn"}, "live", 0, 1),
    ],
)
def test_who_is_told_what(fields: dict[str, Any], state: Any, found: int, cleared: int) -> None:
    names = {"lh-0001": ("锦和家园", "Jinhe Homes")}
    said, over = findings([lot(**fields)], [SourceMinute(source="op", state=state)], names, ZONE)
    assert (len(said), len(over)) == (found, cleared)
    if said:
        assert "锦和家园" in said[0].sentence_zh
        assert "2026-11-22 10:00" in said[0].sentence_en
        assert said[0].founded_at == AT - timedelta(days=2)
