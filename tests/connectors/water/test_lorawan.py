"""Milesight's bytes as their maker documents them, whoever carries them; and when an uplink is one again."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.decoding import SourceContext
from connectors.water import chirpstack, ttn
from connectors.water.milesight import Unknown, Value, values
from schemas.water import StationReading

SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "water" / "lorawan"
RECEIVED_AT = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)
CONTEXT = SourceContext(source="lora", received_at=RECEIVED_AT, zone=ZoneInfo("UTC"), topic="water.readings")


def said(hexadecimal: str, model: str | None = None) -> list[tuple[Any, ...]]:
    found = values(bytes.fromhex(hexadecimal), model)
    return [(v.element, v.value, v.flags) if isinstance(v, Value) else (v.reason,) for v in found]


@pytest.mark.parametrize(("hexadecimal", "expected"), [
    ("01756403770200", [("battery_pct", 100.0, ()), ("depth_m", 0.02, ())]),
    ("01756403821E00", [("battery_pct", 100.0, ()), ("distance_m", 0.03, ())]),
    ("01755C0367010104824408050001",
     [("battery_pct", 92.0, ()), ("temperature_c", 25.7, ()), ("distance_m", 2.116, ("tilt",))]),
    ("8367E800018482410601", [("temperature_c", 23.2, ("threshold",)), ("distance_m", 1.601, ("threshold",))]),
    ("8482410600", [("distance_m", 1.601, ("threshold_released",))]),
    ("0500000482410600", [("distance_m", 1.601, ()), ("unknown_channel",)]),
    ("0367F6FF", [("temperature_c", -1.0, ())]),
    ("FF0BFFFF0101FF166791D19604050000FF090300FF0A0101FF0F00", []),
    ("", []),
])  # fmt: skip
def test_bytes_of_the_three_sensors(hexadecimal: str, expected: list[tuple[Any, ...]]) -> None:
    assert said(hexadecimal) == expected


def test_stored_values_wait_for_the_model_that_says_what_they_are() -> None:
    record = "20CE" + "E0F62465"
    assert said(record + "0200", "EM500-SWL") == [("depth_m", 0.02, ("backfill",))]
    assert said(record + "0200", "EM500-UDL") == [("distance_m", 0.002, ("backfill",))]
    both = [("temperature_c", 25.7, ("backfill",)), ("distance_m", 2.116, ("backfill",))]
    assert said((record + "01014408") * 2, "EM400-MUD") == both * 2
    assert said(record + "0200") == [("unknown_model",)]
    assert said(record + "02", "EM500-SWL") == [("truncated",)]


@given(st.binary(max_size=60), st.sampled_from([None, "EM500-SWL", "EM500-UDL", "EM400-MUD"]))
def test_any_bytes_are_read_to_their_end_or_said_to_be_unknown(data: bytes, model: str | None) -> None:
    found = values(data, model)
    assert all(isinstance(one, Value) for one in found[:-1])
    for one in found:
        assert one.raw in data or (isinstance(one, Unknown) and one.raw)


def event(**fields: Any) -> bytes:
    document: dict[str, Any] = {
        "time": "2026-11-24T02:30:55.775023242+00:00",
        "deviceInfo": {"devEui": "24e124713c140001", "deviceProfileName": "EM500-UDL"},
        "devAddr": "00189440",
        "fCnt": 7,
        "data": base64.b64encode(bytes.fromhex("03821E00")).decode(),
    }
    return msgspec.json.encode({name: value for name, value in (document | fields).items() if value is not None})


def test_a_repetition_is_the_same_device_session_counter_and_content() -> None:
    first = chirpstack.repetition(event(deduplicationId="a"))
    assert first is not None and first[1].replace(microsecond=0) == RECEIVED_AT - timedelta(seconds=5)
    again = chirpstack.repetition(event(deduplicationId="b", time="2026-11-24T02:31:02Z"))
    assert again is not None and again[0] == first[0]
    others = [event(fCnt=None), event(devAddr="00189441"), event(data="A4IfAA=="), event(deviceInfo={"devEui": "ff"})]
    names = [chirpstack.repetition(other) for other in others]
    assert len({name[0] for name in names if name} | {first[0]}) == 5
    assert chirpstack.repetition(b"{") is None
    assert chirpstack.repetition(event(time=None)) is None


@pytest.mark.skipif(not SAMPLES.exists(), reason="the recorded samples are not here")
def test_recorded_uplinks_are_read_up_to_bytes_that_no_milesight_sends() -> None:
    for name, decode, device in [
        ("chirpstack_v4_up.json", chirpstack.decode, "0101010101010101"),
        ("tts_v3_up.json", ttn.decode, "0004A30B001C0530"),
    ]:
        payload = (SAMPLES / name).read_bytes()
        decoded = decode(payload, CONTEXT)
        assert [one.reason for one in decoded.rejects] == ["unknown_channel"]
        assert device in decoded.rejects[0].raw


@pytest.mark.skipif(not SAMPLES.exists(), reason="the recorded samples are not here")
def test_the_makers_own_examples() -> None:
    units = {"battery_pct": ("battery_pct", 1.0), "depth_cm": ("depth_m", 0.01), "distance_mm": ("distance_m", 0.001),
             "temperature_c": ("temperature_c", 1.0)}  # fmt: skip
    for example in msgspec.json.decode((SAMPLES / "milesight_payloads.json").read_bytes())["payloads"]:
        payload = event(data=base64.b64encode(bytes.fromhex(example["hex"])).decode())
        rows = chirpstack.decode(payload, CONTEXT).rows
        found: dict[str, StationReading] = {row.element: row for row in rows if isinstance(row, StationReading)}
        for name, value in example["decoded"].items():
            if name in units:
                element, factor = units[name]
                assert found[element].value == pytest.approx(value * factor)
            elif name == "position":
                assert found["distance_m"].quality == "fail"
