"""What the operations centre answers in a storm, after it, before the first minute, and when the log stands still."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from dashboards.ops.storm import storm_now
from schemas.storm import BasinRain, Blind, Closing, Coming, Reason, StormAnswer, StormView
from schemas.water_registers import Basin, RainWeight, WaterRegister
from sql.connect import Connection, connect
from sql.registers import load_water
from streams.water import rain_store, storm_store
from streams.water.rain import Areal
from streams.water.rules import micros
from tests.conftest import Database
from tests.dashboards.ops.serving import serving
from tests.streams.water.river import ZONE, station

pytestmark = pytest.mark.stack
NOW = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
DRY = {1: Areal(0.4, 0.0, ()), 3: Areal(2.0, 0.25, ("g2",)), 6: Areal(2.0, 0.0, ())}
VIEW = StormView(
    at=NOW,
    is_active=True,
    why=(Reason("布吉河流域 1 小时面雨量 31.0 毫米", "Buji River basin: 31.0 mm of areal rain in 1 h"),),
    coming=(
        Coming(
            station_id="rv-1", name_zh="布吉河1号水位站", name_en="Buji River 1", kind="river", level=3,
            crosses_at=NOW + timedelta(minutes=7), minutes=7.0, reasons=(Reason("每分钟上涨 2.0 厘米", "rising"),),
        ),
    ),
    blind=(
        Blind(
            station_id="rv-2", name_zh="布吉河2号水位站", name_en="Buji River 2", kind="river", knowledge="never",
            since=None, points=10.0, reasons=(Reason("从未上报", "never heard of", 10.0),),
        ),
    ),
    close_first=(
        Closing(
            station_id="up-1", name_zh="翠竹路下穿通道", name_en="Cuizhu Road underpass", level=4, value_m=0.82,
            observed_at=NOW, points=110.0, reasons=(Reason("红色预警生效", "the red alert stands", 110.0),),
        ),
    ),
    rain=(BasinRain(basin_id="buji", name_zh="布吉河流域", name_en="Buji", hours=1, mm=31.0, missing_share=0.0),),
    coming_total=1,
    blind_total=1,
    close_total=1,
)  # fmt: skip


@pytest.fixture
def streams(database: Database) -> Iterator[Connection]:
    basins = [("buji", "布吉河流域", "Buji River basin"), ("liantang", "莲塘河流域", "Liantang River basin")]
    register = WaterRegister(
        stations=tuple(station(f"g-{basin}", "rain", None, element="rain_total_mm") for basin, _, _ in basins),
        basins=tuple(Basin(basin_id=basin, name_zh=zh, name_en=en) for basin, zh, en in basins),
        rain_weights=tuple(RainWeight(basin_id=basin, station_id=f"g-{basin}", weight=1.0) for basin, _, _ in basins),
    )
    with connect(database.dsn("owner"), autocommit=True) as owner:
        load_water(owner, register)
    with connect(database.dsn("streams"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def ops(database: Database) -> Iterator[Connection]:
    with connect(database.dsn("ops"), autocommit=True) as connection:
        yield connection


def rained(streams: Connection, at: datetime, *basins: str) -> None:
    rain_store.write_means(streams, [(basin, micros(at), DRY) for basin in basins])


def ask(ops: Connection, after_s: float = 20) -> StormAnswer:
    return storm_now(ops, NOW + timedelta(seconds=after_s), ZONE)


def test_before_the_first_minute_it_is_unknown_and_that_is_an_answer(ops: Connection, streams: Connection) -> None:
    found = ask(ops)
    assert (found.state, found.as_of, found.is_stale, found.view) == ("unknown", None, True, None)
    assert "未知" in found.sentence_zh and "unknown" in found.sentence_en


def test_no_storm_as_of_a_minute(ops: Connection, streams: Connection) -> None:
    rained(streams, NOW, "buji", "liantang")
    storm_store.put_progress(streams, NOW)
    found = ask(ops)
    assert (found.state, found.as_of, found.age_s, found.is_stale) == ("no_storm", NOW, 20.0, False)
    assert found.sentence_zh == "没有暴雨（截至 10:05，20 秒前）。"
    assert found.sentence_en == "No storm (as of 10:05, 20 s ago)."
    assert [(each.basin_id, each.hours, each.mm, each.missing) for each in found.rain][:2] == [
        ("buji", 1, 0.4, ()),
        ("buji", 3, 2.0, ("g2",)),
    ]


def test_a_basin_without_rain_that_is_known_is_named(ops: Connection, streams: Connection) -> None:
    rained(streams, NOW, "buji")
    rain_store.write_means(streams, [("liantang", micros(NOW), {1: Areal(None, 1.0, ("g-liantang",))})])
    storm_store.put_progress(streams, NOW)
    assert ask(ops).sentence_zh == "没有暴雨（截至 10:05，20 秒前）；雨量未知的流域：莲塘河流域。"


def test_where_no_rain_is_known_nobody_says_that_there_is_no_storm(ops: Connection, streams: Connection) -> None:
    rained(streams, NOW - timedelta(minutes=40), "buji", "liantang")
    storm_store.put_progress(streams, NOW)
    found = ask(ops)
    assert found.state == "unknown"
    assert found.sentence_en.startswith("Whether there is a storm is unknown: no rain is known")


def test_a_storm_with_its_view(ops: Connection, streams: Connection) -> None:
    storm_store.put_view(streams, VIEW)
    storm_store.put_progress(streams, NOW)
    found = ask(ops)
    assert (found.state, found.view) == ("storm", VIEW)
    assert found.sentence_zh == (
        "暴雨进行中（截至 10:05，20 秒前）：布吉河流域 1 小时面雨量 31.0 毫米；"
        "1 处一小时内升级，最早为布吉河1号水位站（约 7 分钟后）；1 处情况不明；最先关闭翠竹路下穿通道。"
    )


def test_while_no_underpass_has_an_alert_none_is_said_to_be_closed(ops: Connection, streams: Connection) -> None:
    dry = msgspec.structs.replace(VIEW.close_first[0], level=0, value_m=0.0)
    storm_store.put_view(streams, msgspec.structs.replace(VIEW, close_first=(dry,)))
    storm_store.put_progress(streams, NOW)
    found = ask(ops)
    assert found.sentence_zh.endswith("；下穿通道尚无积水预警，首先关注翠竹路下穿通道。")
    assert found.sentence_en.endswith("; no underpass has an alert yet, watch Cuizhu Road underpass first.")


def test_a_storm_that_is_over_is_no_storm(ops: Connection, streams: Connection) -> None:
    over = NOW + timedelta(minutes=1)
    storm_store.put_view(streams, VIEW)
    storm_store.put_view(streams, StormView(at=over, is_active=False, why=()))
    rained(streams, NOW, "buji", "liantang")
    storm_store.put_progress(streams, over)
    assert (ask(ops, 80).state, ask(ops, 80).view) == ("no_storm", None)


def test_when_the_log_stands_still_that_is_said(ops: Connection, streams: Connection) -> None:
    storm_store.put_view(streams, VIEW)
    storm_store.put_progress(streams, NOW)
    found = ask(ops, 12 * 60)
    assert found.is_stale
    assert "截至 10:05，12 分钟前" in found.sentence_zh and found.sentence_zh.endswith("数据陈旧，现状未知。")
    assert found.sentence_en.endswith("This is old: how it is now is unknown.")
    assert "2026-11-24 10:05" in ask(ops, 20 * 3600).sentence_en


def test_over_http(database: Database, streams: Connection) -> None:
    with serving(database.settings) as url:
        first = httpx.get(f"{url}/storm", timeout=10)
        assert (first.status_code, first.json()["state"]) == (200, "unknown")
        storm_store.put_view(streams, VIEW)
        storm_store.put_progress(streams, NOW)
        answer = httpx.get(f"{url}/storm", timeout=10)
        assert answer.headers["cache-control"] == "no-store"
        found: dict[str, Any] = answer.json()
        assert msgspec.convert(found["view"], StormView) == VIEW
        assert found["is_stale"]  # its log is years away from this test's clock
        described = httpx.get(f"{url}/schema/openapi.json", timeout=10).json()
        assert "/storm" in described["paths"]
