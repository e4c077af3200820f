"""The public feeds: feet to metres to the last digit, recorded documents, and a poll of them over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.decoding import Decoded, SourceContext, Unreadable
from connectors.formats import DECODERS
from connectors.health import SourceHealth
from connectors.transports import http_poll
from connectors.transports.fetch import Client
from connectors.water.readings import FACTORS, FOOT_M, scaled
from connectors.water.usgs import judged
from schemas.settings import Connectors, Source
from tests.connectors.clocks import HeldClock
from tests.connectors.servers import Feed

SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "water"
recorded = pytest.mark.skipif(not SAMPLES.exists(), reason="the recorded samples are not here")


def context(at: datetime, **options: Any) -> SourceContext:
    return SourceContext(source="law", received_at=at, zone=ZoneInfo("UTC"), topic="water.readings", options=options)


@given(st.integers(-100_000, 100_000), st.integers(0, 4))
def test_a_foot_is_0_3048_m_to_the_last_digit(digits: int, decimals: int) -> None:
    text = f"{digits / 10**decimals:.{decimals}f}"
    exact = Fraction(text) * Fraction(3048, 10_000)
    assert scaled(text, "value", FOOT_M) == float(exact)


def test_units_are_what_the_law_says() -> None:
    assert scaled("1", "value", FACTORS["ft^3/s"]) == 0.028316846592
    assert scaled("-0.0", "value") == 0.0
    assert scaled("", "value") is scaled(None, "value") is None
    none: list[Any] = ["1,5", "nan", "inf", "1 ft", "0x10", True, [], "9" * 41]
    for bad in none:
        with pytest.raises(Unreadable):
            scaled(bad, "value")


def test_words_about_a_value() -> None:
    assert judged(["A"]) == ("good", ())
    assert judged(["P", "e"]) == ("unknown", ("provisional", "estimated"))
    assert judged(["Approved", "ICE"]) == ("suspect", ("ice",))
    assert judged(["ICE", "Approved"]) == ("suspect", ("ice",))
    assert judged([None, ""]) == ("unknown", ())


@recorded
def test_recorded_usgs_documents() -> None:
    documents = msgspec.json.decode((SAMPLES / "usgs" / "waterdata_ogc_fixtures.json").read_bytes())
    now = context(datetime(2026, 8, 7, 19, 0, tzinfo=UTC))

    def decoded(name: str) -> Decoded:
        return DECODERS["usgs"](msgspec.json.encode(documents[name]), now)

    latest = decoded("latest-continuous")
    assert [(row.station, row.element, row.value) for row in latest.rows] == [  # type: ignore[union-attr]
        ("USGS-06904500", "level_m", 0.484632),
        ("USGS-06904500", "flow_m3s", 15.14951292672),
    ]
    assert [row.quality for row in decoded("continuous").rows] == ["good", "good"]  # type: ignore[union-attr]
    assert {one.reason for one in decoded("daily").rejects} == {"bad_statistic"}
    for name, document in documents.items():
        assert decoded(name).items == len(document["features"])


@recorded
def test_recorded_nwis_document() -> None:
    payload = (SAMPLES / "usgs" / "nwis_iv_mock.json").read_bytes()
    found = DECODERS["nwis"](payload, context(datetime(2018, 1, 25, tzinfo=UTC)))
    assert [(row.station, row.value, row.quality) for row in found.rows] == [  # type: ignore[union-attr]
        ("03339000", 0.028316846592, "good"),
        ("05447500", 0.056633693184, "good"),
    ]


@recorded
def test_recorded_reading_of_the_environment_agency() -> None:
    sample = msgspec.json.decode((SAMPLES / "uk-ea" / "ea_station_and_reading_samples.json").read_bytes())
    payload = msgspec.json.encode({"items": sample["reading"]})
    (row,) = DECODERS["ea"](payload, context(datetime(2017, 6, 19, 5, 20, tzinfo=UTC))).rows
    assert (row.station, row.element, row.value) == ("E7050", "rain_15min_mm", 0.4)  # type: ignore[union-attr]
    assert row.observed_at == datetime(2017, 6, 19, 5, 15, tzinfo=UTC)  # type: ignore[union-attr]


def polled(source: Source, then: Callable[[bytes, datetime], None]) -> None:
    """One poll of a source, its payload given to `then`, acknowledged."""

    async def poll() -> None:
        client = Client(Connectors())
        coming = http_poll.deliveries(source, {}, client, HeldClock(), SourceHealth(source.name, source.cadence_s))
        try:
            async with asyncio.timeout(15):
                delivery = await anext(coming)
            then(delivery.payload, delivery.received_at)
            await delivery.acknowledge()
        finally:
            await coming.aclose()  # type: ignore[attr-defined]
            await client.close()

    asyncio.run(poll())


def test_a_water_feed_is_polled_as_any_other() -> None:
    item = {"dateTime": "2026-11-24T02:15:00Z", "measure": "x/7301TH-level-stage-i-15_min-mASD", "value": 0}
    found: list[Decoded] = []
    with Feed(lambda asked: asked.answer(msgspec.json.encode({"items": item}))).serving() as feed:
        source = msgspec.convert(
            {
                "name": "uk-ea",
                "decoder": "ea",
                "topic": "water.readings",
                "transport": "http_poll",
                "url": f"{feed.url}/data/readings",
                "params": {"latest": ""},
                "cadence_s": 900.0,
                "allow_private_address": True,
            },
            Source,
        )
        polled(source, lambda payload, at: found.append(DECODERS["ea"](payload, context(datetime.now(UTC)))))
        assert feed.asked[0].path.startswith("/data/readings?latest")
    assert [(row.station, row.value) for row in found[0].rows] == [("7301TH", 0.0)]  # type: ignore[union-attr]
