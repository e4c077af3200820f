"""Does a connection find every HJ 212 packet, put messages together, and answer as the flags ask?"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.decoding import SourceContext, raw_ref
from connectors.water.hj212 import decode, replies
from connectors.water.hj212.connection import Connection, GivenUp, Message, Refused
from connectors.water.hj212.frames import encode
from connectors.water.scanner import Rubbish
from schemas.water import StationReading
from tests.connectors.water.cuts import SAMPLES, noise, pieces, places, reasons, told

FILE = SAMPLES / "hj212" / "frames.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())["frames"] if FILE.exists() else []
recorded = pytest.mark.skipif(not VECTORS, reason="no recorded frames beside the checkout")
CONTEXT = SourceContext(
    source="quality", received_at=datetime(2026, 11, 24, 2, 0, 20, tzinfo=UTC), zone=ZoneInfo("Asia/Shanghai")
)


def packet(
    parameters: str = "DataTime=20261124100000;w01001-Rtd=7.0", *, cn: str = "2011", flag: int = 4, more: str = ""
) -> bytes:
    qn = "20261124100005123"
    return encode(f"QN={qn};ST=21;CN={cn};PW=123456;MN=440303SW0007;Flag={flag}{more}", parameters)


STREAM = [packet(), packet(cn="9015"), packet(flag=9), packet("DataTime=20261124100000;w01001-Rtd=7;w01018-Rtd=##12")]


@recorded
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["crc_given"]))
def test_recorded_packets(vector: dict[str, Any]) -> None:
    """Four of the seven were edited after they had been signed: they are rejects."""
    data = vector["frame"].encode()
    decoded = decode(data, CONTEXT)
    if not vector["crc_ok"]:
        assert (decoded.rows, [one.reason for one in decoded.rejects]) == ([], ["bad_crc"])
        return
    assert decoded.rejects == []
    wanted = [part.split("-Rtd=") for part in vector["frame"].replace(";", ",").split(",") if "-Rtd=" in part]
    rows = [row for row in decoded.rows if isinstance(row, StationReading)]
    assert [(row.code, row.value) for row in rows] == [(code, float(value.split("&&")[0])) for code, value in wanted]
    assert {row.raw_ref for row in rows} == {raw_ref(data)}


@recorded
def test_recorded_packets_glued_and_byte_by_byte() -> None:
    good = [vector["frame"].encode() for vector in VECTORS if vector["crc_ok"]]
    glued = b"".join(vector["frame"].encode() for vector in VECTORS)
    whole = told(Connection().receive, [glued])
    assert [event.packet.data for event in whole[0]] == good
    assert told(Connection().receive, [bytes((byte,)) for byte in glued]) == whole


@recorded
def test_a_time_of_seventeen_digits() -> None:
    data = next(vector["frame"] for vector in VECTORS if "20210305003817000" in vector["frame"])
    rows = [row for row in decode(data.encode(), CONTEXT).rows if isinstance(row, StationReading)]
    assert {row.observed_at for row in rows} == {datetime(2021, 3, 4, 16, 38, 17, tzinfo=UTC)}


@given(between=st.lists(noise, min_size=len(STREAM) + 1, max_size=len(STREAM) + 1), places=places)
@settings(max_examples=150, deadline=None)
def test_every_packet_is_found_however_it_is_cut_and_whatever_stands_between(
    between: list[bytes], places: list[int]
) -> None:
    data = between[0] + b"".join(one + rubbish for one, rubbish in zip(STREAM, between[1:], strict=True))
    whole, in_pieces = Connection(), Connection()
    messages, rubbish = told(whole.receive, [data])
    assert told(in_pieces.receive, pieces(data, places)) == (messages, rubbish)
    assert [event.packet.data for event in messages] == STREAM
    held = b"".join(event.data for event in whole.close() if isinstance(event, Rubbish))
    assert rubbish + held == b"".join(between)


@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_spoiled_packet_costs_only_itself(place: int, value: int) -> None:
    """But in the hex digits of its checksum, where the case may change."""
    spoiled = bytearray(STREAM[0])
    spoiled[place % (len(spoiled) - 6)] ^= value
    found, _ = told(Connection().receive, [STREAM[1] + bytes(spoiled) + STREAM[2]])
    assert [event.packet.data for event in found] == [STREAM[1], STREAM[2]]


def test_a_length_beyond_the_limit_is_no_header() -> None:
    connection = Connection(length_limit=100)
    assert [type(event) for event in connection.receive(packet("a" * 100))] == [Rubbish]
    events = [*connection.receive(packet("a")[:-6] + b"ZZZZ\r\n"), *connection.close()]
    assert reasons(events) == ["bad_end"]


def test_packets_of_a_message_in_any_order() -> None:
    parts = [packet(f"w0{number}-Rtd={number}", flag=6, more=f";PNUM=3;PNO={number}") for number in (1, 2, 3)]
    connection = Connection()
    events = [event for number in (2, 0, 0, 1) for event in connection.receive(parts[number])]
    (message,) = events
    assert isinstance(message, Message)
    assert message.parameters == ("w01-Rtd=1", "w02-Rtd=2", "w03-Rtd=3")
    assert connection.held_bytes == 0


def test_packets_of_two_messages_are_never_mixed() -> None:
    first = packet("w01-Rtd=1", flag=6, more=";PNUM=2;PNO=1")
    other = packet("w01-Rtd=9", flag=6, more=";PNUM=2;PNO=1")
    last = packet("w02-Rtd=2", flag=6, more=";PNUM=2;PNO=2")
    connection = Connection()
    events = [event for one in (first, other, last) for event in connection.receive(one)]
    assert [type(event) for event in events] == [GivenUp, Message]
    assert isinstance(events[1], Message)
    assert events[1].parameters == ("w01-Rtd=9", "w02-Rtd=2")


def test_a_message_without_end_is_given_up() -> None:
    connection = Connection(assembly_limit_bytes=5_000)
    events = []
    for number in range(1, 60):
        events += connection.receive(packet("x" * 500, flag=6, more=f";PNUM=999;PNO={number}"))
        assert connection.held_bytes <= 5_000
    assert {event.reason for event in events if isinstance(event, GivenUp)} == {"too_large"}
    assert [event.reason for event in connection.close() if isinstance(event, GivenUp)] == ["missing_packets"]


def test_a_stranger_is_refused() -> None:
    connection = Connection(admit=lambda found: "wrong_password" if found.password != "secret" else None)
    (event,) = connection.receive(packet())
    assert isinstance(event, Refused)
    assert event.reason == "wrong_password"


def message(data: bytes) -> Message:
    (event,) = Connection().receive(data)
    assert isinstance(event, Message)
    return event


@pytest.mark.parametrize(
    ("flag", "version", "wants"),
    [(0, "2005", False), (1, "2005", True), (5, "2017", True), (9, "2025", True), (8, "2025", False)],
)
def test_flags(flag: int, version: str, wants: bool) -> None:
    found = message(packet(flag=flag)).packet
    assert (found.version, found.wants_answer) == (version, wants)
    answer = replies.answer(message(packet(flag=flag)))
    assert (answer is not None) == wants


def test_the_answer_to_data_has_its_qn() -> None:
    answer = replies.answer(message(packet(flag=9)))
    assert answer is not None
    told_back = message(answer).packet
    assert told_back.data[6:-6] == (b"QN=20261124100005123;ST=91;CN=9014;PW=123456;MN=440303SW0007;Flag=8;CP=&&&&")
    assert replies.answer(message(answer)) is None
    assert told_back.key == ("440303SW0007", "20261124100005123")


def test_a_packet_without_qn_has_no_key() -> None:
    assert message(encode("ST=32;CN=2011;PW=1;MN=LD1", "DataTime=20261124100000;011-Rtd=1")).packet.key is None


fields = st.text(st.sampled_from("DataTime=-&;,w01RtdFlagN.5 é\x00#"), max_size=60)


@given(parameters=st.one_of(fields, st.just("DataTime=20261124100000;w01001-Rtd=7,w01001-Flag=N")), more=fields)
@settings(max_examples=200, deadline=None)
def test_a_reject_is_a_packet_with_its_number_alone(parameters: str, more: str) -> None:
    for first in decode(packet(parameters + more), CONTEXT).rejects:
        raw = first.raw.encode() if first.raw_encoding == "utf-8" else base64.b64decode(first.raw)
        again = decode(raw, CONTEXT)
        assert first.reason in [one.reason for one in again.rejects]
