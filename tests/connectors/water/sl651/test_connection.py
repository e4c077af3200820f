"""Does a connection find every frame in any stream, and hold little of what a hostile one sends?"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.water.scanner import Rubbish
from connectors.water.sl651.connection import Connection, Refused
from connectors.water.sl651.packets import GivenUp, Message, Missing
from tests.connectors.water.cuts import noise, pieces, places, reasons, told
from tests.connectors.water.sl651.frames import frame, group, level, packets, raw

STREAM = [
    frame(0x2F),
    level(13.4),
    *packets(0x36, group(at="2611241000") + b"\xf3\xf3" + bytes(range(256)), 100),
    level(None, serial=0x7E7E),
    frame(0x34, group(raw("F4", "F460" + "7E" * 12))),
]


def texts(data: list[bytes]) -> list[str]:
    return [event.text for event in told(Connection().receive, data)[0]]


@given(between=st.lists(noise, min_size=len(STREAM) + 1, max_size=len(STREAM) + 1), places=places)
@settings(max_examples=150, deadline=None)
def test_every_frame_is_found_however_it_is_cut_and_whatever_stands_between(
    between: list[bytes], places: list[int]
) -> None:
    data = between[0] + b"".join(one + rubbish for one, rubbish in zip(STREAM, between[1:], strict=True))
    whole, in_pieces = Connection(), Connection()
    messages, rubbish = told(whole.receive, [data])
    assert told(in_pieces.receive, pieces(data, places)) == (messages, rubbish)
    assert [event.text for event in messages] == texts(STREAM)
    held = b"".join(event.data for event in whole.close() if isinstance(event, Rubbish))
    assert rubbish + held == b"".join(between)


@given(data=st.binary(max_size=300), places=places)
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_accounted_for(data: bytes, places: list[int]) -> None:
    connection = Connection()
    messages, rubbish = told(connection.receive, pieces(data, places))
    more, rest = told(lambda _: connection.close(), [b""])
    assert b"".join(event.frame.data for event in [*messages, *more]) == b""
    assert rubbish + rest == data


@given(place=st.integers(0, 10_000), value=st.integers(1, 255), places=places)
@settings(max_examples=150, deadline=None)
def test_a_spoiled_frame_costs_only_itself(place: int, value: int, places: list[int]) -> None:
    spoiled = bytearray(STREAM[1])
    spoiled[place % len(spoiled)] ^= value
    found, _ = told(Connection().receive, pieces(STREAM[0] + bytes(spoiled) + level(1.5), places))
    assert [event.text for event in found] == texts([STREAM[0], level(1.5)])


def test_a_frame_behind_a_longer_one_that_was_cut_short_is_not_held_back() -> None:
    """A threshold report must not wait for the next one because an hourly report before it lost its end."""
    hourly = frame(0x34, group(raw("F4", "F460" + "00" * 12), raw("F5", "F5C0" + "0001" * 12)))
    alarm = level(15.0, function=0x33)
    connection = Connection()
    events = connection.receive(hourly[:20] + alarm)
    assert [event.text for event in events if isinstance(event, Message)] == [alarm.hex().upper()]
    assert [event.data for event in events if isinstance(event, Rubbish)] == [hourly[:20]]


def test_a_picture_may_hold_the_marks_of_a_frame() -> None:
    picture = frame(0x36, group(at="2611241000") + b"\xf3\xf3" + b"\x7e\x7e" * 60 + level()[:30])
    assert texts([picture]) == [picture.hex().upper()]


def test_reasons_are_told_apart() -> None:
    bad_crc, bad_end = bytearray(level()), bytearray(level())
    bad_crc[-1] ^= 1
    bad_end[-3] = 0x99
    connection = Connection()
    events = [*connection.receive(bytes(bad_crc) + bytes(bad_end) + level()[:40]), *connection.close()]
    assert reasons(events) == ["bad_crc", "bad_end", "truncated"]


def test_a_length_beyond_the_limit_is_no_header() -> None:
    connection = Connection(length_limit=40)
    events = connection.receive(level() + frame(0x36, bytes(41)) + level())
    assert [type(event) for event in events] == [Message, Rubbish, Message]
    assert connection.held_bytes == 0


@pytest.mark.parametrize(
    "piece",
    [b"\x7e", b"\x7e\x7e" + bytes(9) + b"\x0f\xff\x02", b"\x01" * 64, bytes(1000), b"\x01034403030011A1B2320FFF\x02"],
)
def test_a_hostile_stream_is_not_kept(piece: bytes) -> None:
    connection = Connection()
    for _ in range(200_000 // len(piece) // 8):
        connection.receive(piece * 8)
        assert connection.held_bytes < 4_200 + 8 * len(piece)


def test_a_station_uses_one_encoding() -> None:
    words = frame(0x32, b" ST 4403030011 H TT 2611241000 Z 13.4 ", encoding="ascii")
    assert texts([words + words]) == [words.hex().upper()] * 2
    assert texts([level() + words + level()]) == [level().hex().upper()] * 2
    assert texts([words + level() + words]) == [words.hex().upper()] * 2


def test_a_stranger_is_refused_and_nothing_of_it_is_kept() -> None:
    connection = Connection(admit=lambda found: "unknown_station" if found.function == 0x36 else None)
    events = [event for one in STREAM[2:5] for event in connection.receive(one)]
    assert {(type(event), event.reason) for event in events if isinstance(event, Refused)} == {
        (Refused, "unknown_station")
    }
    assert connection.held_bytes == 0
    assert [type(event) for event in connection.receive(level())] == [Message]


def test_packets_in_any_order_are_one_message_and_repeats_change_nothing() -> None:
    parts = packets(0x36, b"\xf3\xf3" + bytes(250), 100)
    connection = Connection()
    events = [event for number in (1, 1, 0, 2) for event in connection.receive(parts[number])]
    (message,) = events
    assert isinstance(message, Message)
    assert [one.packet for one in message.frames] == [1, 2, 3]
    assert len(message.content) == 8 + 2 + 250
    assert connection.held_bytes == 0


def test_one_packet_at_a_time_is_asked_for_again() -> None:
    parts = packets(0x36, b"\xf3\xf3" + bytes(350), 100)
    connection = Connection()
    assert connection.receive(parts[0]) == []
    assert [one.numbers for one in connection.missing()] == [(2, 3, 4)]
    (first,) = connection.receive(parts[3])
    assert isinstance(first, Missing)
    assert first.numbers == (2, 3)
    (second,) = connection.receive(parts[1])
    assert isinstance(second, Missing)
    assert second.numbers == (3,)
    assert [type(event) for event in connection.receive(parts[2])] == [Message]


def test_packets_of_two_messages_are_never_mixed() -> None:
    first, second = (
        packets(0x36, b"\xf3\xf3" + bytes(250), 100),
        packets(0x36, b"\xf3\xf3" + b"\x01" * 250, 100, serial=2),
    )
    connection = Connection()
    events = [
        event for one in (first[0], first[1], second[0], second[1], second[2]) for event in connection.receive(one)
    ]
    assert [type(event) for event in events] == [GivenUp, Message]
    assert isinstance(events[0], GivenUp)
    assert (events[0].reason, len(events[0].frames)) == ("superseded", 2)


def test_a_message_without_end_is_given_up() -> None:
    connection = Connection(assembly_limit_bytes=10_000)
    parts = packets(0x36, b"\xf3\xf3" + bytes(20_000), 1_000)
    events = []
    for part in parts:
        events += connection.receive(part)
        assert connection.held_bytes <= 10_000
    assert {event.reason for event in events if isinstance(event, GivenUp)} == {"too_large"}
    assert not [event for event in events if isinstance(event, Message)]
