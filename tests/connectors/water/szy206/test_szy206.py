"""Does SZY 206 decode: the recorded frames, signs, lengths over 127, and times that have no month?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.decoding import SourceContext, Unreadable, raw_ref
from connectors.water import szy206
from connectors.water.scanner import Rubbish
from connectors.water.szy206 import Connection, Frame
from schemas.water import StationReading
from tests.connectors.water.cuts import SAMPLES, noise, pieces, places, told

FILE = SAMPLES / "szy206" / "szy206_frames.json"
VECTORS: list[str] = json.loads(FILE.read_text())["frames"] if FILE.exists() else []
recorded = pytest.mark.skipif(not VECTORS, reason="no recorded frames beside the checkout")
ZONE = ZoneInfo("Asia/Shanghai")
STATION = "4403030011"
LEVEL = 0xB2


def context(received_at: datetime) -> SourceContext:
    return SourceContext(source="wells", received_at=received_at, zone=ZONE)


NOW = datetime(2026, 11, 24, 2, 0, 20, tzinfo=UTC)


def report(data: str, *, control: int = LEVEL, time: str = "2059092400") -> bytes:
    return szy206.encode(control, STATION, szy206.REPORT, bytes.fromhex(data + "00000000" + time))


def told_readings(payload: bytes, received_at: datetime = NOW) -> list[StationReading]:
    decoded = szy206.decode(payload, context(received_at))
    assert decoded.rejects == []
    return [row for row in decoded.rows if isinstance(row, StationReading)]


def frame(data: bytes) -> Frame:
    (event,) = Connection().receive(data)
    assert isinstance(event, Frame)
    return event


@recorded
def test_the_recorded_frames() -> None:
    """A flow of 5.9 m3/s with 106,182 m3 in all, on the 9th at 08:45; and one that has no flow to tell."""
    received_at = datetime(2026, 1, 9, 1, 0, tzinfo=UTC)
    first = told_readings(VECTORS[0].encode(), received_at)
    assert [(row.element, row.code, row.value) for row in first] == [
        ("flow_m3s", None, 5.9),
        ("other", "volume_m3", 106_182.0),
        ("other", "alarms", 0x0110),
        ("other", "status", 0x6000),
    ]
    assert {(row.station, row.observed_at) for row in first} == {
        ("5303810D00", datetime(2026, 1, 9, 0, 45, tzinfo=UTC))
    }
    assert {row.raw_ref for row in first} == {raw_ref(bytes.fromhex(VECTORS[0]))}
    second = told_readings(VECTORS[1].encode(), received_at)
    assert [(row.value, row.quality) for row in second[:2]] == [(None, "missing"), (404_000.0, "unknown")]
    assert {(row.station, row.observed_at, row.flags) for row in second} == {("4406070001", received_at, ("no_time",))}


@recorded
def test_the_recorded_frames_glued_byte_by_byte_and_between_rubbish() -> None:
    data = [bytes.fromhex(vector) for vector in VECTORS]
    for rubbish in (b"", b"\x68", b"\x68\x10\x68" + bytes(5), data[0][:-1], data[1][1:], b"AT\r\n"):
        stream = rubbish + data[0] + rubbish + data[1] + rubbish
        found, rest = told(Connection().receive, [stream])
        assert [event.data for event in found] == data
        assert told(Connection().receive, [bytes((byte,)) for byte in stream]) == (found, rest)


STREAM = [
    report("72330100"),
    szy206.encode(0xB0, STATION, szy206.LINK, b"\xf2"),
    report("00340100" * 40),  # 160 bytes of data: a length over 127
    report("68106816" * 2),
]


@given(between=st.lists(noise, min_size=len(STREAM) + 1, max_size=len(STREAM) + 1), places=places)
@settings(max_examples=150, deadline=None)
def test_every_frame_is_found_however_it_is_cut_and_whatever_stands_between(
    between: list[bytes], places: list[int]
) -> None:
    data = between[0] + b"".join(one + rubbish for one, rubbish in zip(STREAM, between[1:], strict=True))
    whole, in_pieces = Connection(), Connection()
    frames, rubbish = told(whole.receive, [data])
    assert told(in_pieces.receive, pieces(data, places)) == (frames, rubbish)
    assert [event.data for event in frames] == STREAM
    held = b"".join(event.data for event in whole.close() if isinstance(event, Rubbish))
    assert rubbish + held == b"".join(between)


def test_a_hostile_stream_is_not_kept() -> None:
    connection = Connection()
    for _ in range(500):
        connection.receive(b"\x68\xff\x68" * 20)
        assert connection.held_bytes < 400


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("00013372", 13.372),
        ("80000127", -0.127),
        ("F0000127", -0.127),
        ("80000000", 0.0),
        ("79999999", 79_999.999),
        ("AAAAAAAA", None),
    ],
)
def test_signs_and_no_value(digits: str, value: float | None) -> None:
    assert szy206.number_of(bytes.fromhex(digits)[::-1], 3) == value


@pytest.mark.parametrize("digits", ["0001A372", "AAAAAAA0", "0000000F"])
def test_digits_that_are_none(digits: str) -> None:
    with pytest.raises(Unreadable, match="bad_number"):
        szy206.number_of(bytes.fromhex(digits)[::-1], 3)


@pytest.mark.parametrize(
    ("received", "time", "observed"),
    [
        ("2026-11-24T10:00:20", "2059092400", "2026-11-24T09:59:20"),
        ("2026-12-01T00:00:10", "5059233000", "2026-11-30T23:59:50"),  # over the end of a month
        ("2027-01-01T00:00:10", "5059233100", "2026-12-31T23:59:50"),  # and of a year
        ("2026-11-30T23:59:50", "0501000100", "2026-12-01T00:01:05"),  # a clock a little ahead, over the border
        ("2028-02-29T12:00:00", "0000102900", "2028-02-29T10:00:00"),
        ("2026-03-01T00:10:00", "0050232800", "2026-02-28T23:50:00"),
        ("2026-11-24T10:00:20", "0000102500", None),  # a day ahead
        ("2026-03-15T10:00:00", "0000103200", None),  # no day of any month
        ("2026-11-24T10:00:20", "0000252400", None),
        ("2026-11-24T10:00:20", "AAAAAAAAAA", None),
    ],
)
def test_the_month_is_the_nearest(received: str, time: str, observed: str | None) -> None:
    received_at = datetime.fromisoformat(received).replace(tzinfo=ZONE).astimezone(UTC)
    (row, *_) = told_readings(report("72330100", time=time), received_at)
    if observed is None:
        assert (row.observed_at, row.flags) == (received_at, ("clock",))
    else:
        wanted = datetime.fromisoformat(observed).replace(tzinfo=ZONE).astimezone(UTC)
        assert (row.observed_at, row.flags) == (wanted, ())


@given(received=st.integers(1_577_836_800, 2_051_222_400), age_s=st.integers(-280, 14 * 86_400))
@settings(max_examples=200, deadline=None)
def test_a_time_not_older_than_two_weeks_is_found_again(received: int, age_s: int) -> None:
    received_at, at = datetime.fromtimestamp(received, UTC), datetime.fromtimestamp(received - age_s, ZONE)
    stamp = bytes.fromhex(at.strftime("%S%M%H%d") + "00")
    assert szy206.resolved(stamp, context(received_at)) == at.astimezone(UTC)


def test_answers() -> None:
    login = szy206.encode(0xB0, STATION, szy206.LINK, bytes((szy206.LOGIN,)))
    assert frame(login).link == szy206.LOGIN
    answer = szy206.answer(frame(login))
    assert answer is not None
    back = frame(answer)
    assert (back.is_uplink, back.station, back.function, back.content) == (False, STATION, szy206.LINK, b"\xf0")
    assert szy206.answer(back) is None
    confirmed = szy206.answer(frame(STREAM[0]))
    assert confirmed is not None
    assert (frame(confirmed).function, frame(confirmed).kind, frame(confirmed).content) == (0xC0, 2, b"\x01")
    assert told_readings(login + answer + confirmed) == []


def test_a_frame_cannot_be_longer_than_its_length_says() -> None:
    with pytest.raises(ValueError, match="at most 255"):
        szy206.encode(LEVEL, STATION, szy206.REPORT, bytes(250))


@given(content=st.binary(max_size=60), control=st.integers(0, 255), function=st.sampled_from([0xC0, 0x02, 0xC1]))
@settings(max_examples=200, deadline=None)
def test_a_reject_is_its_frame(content: bytes, control: int, function: int) -> None:
    data = szy206.encode(control, STATION, function, content)
    decoded: Any = szy206.decode(data.hex().encode(), context(NOW))
    for rejected in decoded.rejects:
        assert szy206.decode(rejected.raw.encode(), context(NOW)) == decoded
