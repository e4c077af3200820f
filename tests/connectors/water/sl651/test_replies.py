"""Are answers and questions the bytes that stations know?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.water.sl651 import replies
from connectors.water.sl651.body import parse
from connectors.water.sl651.connection import Connection
from connectors.water.sl651.frames import ENQ, ESC, NAK, Encoding, Frame
from connectors.water.sl651.packets import Message, Missing
from connectors.water.stations import StationFacts, refusal
from tests.connectors.water.sl651.frames import NOW, STATION, ZONE, frame, level, packets

# The worked example of the reference: a timed report and its answer, byte for byte.
TIMED = bytes.fromhex(
    "7E7E05001122334403E832002B020034170718110016F1F1001122334448F0F01707181100"
    "20190000402619000040392300010490"
    "3812109903A421"
)
AT = datetime(2017, 7, 18, 3, 0, 16, tzinfo=UTC)
PEER = replies.Peer(STATION, 3, "A1B2")
WORDS = replies.Peer(STATION, 3, "A1B2", "ascii")


def message(data: bytes) -> Message:
    (event,) = Connection().receive(data)
    assert isinstance(event, Message)
    return event


def received(data: bytes) -> tuple[Frame, int, str, bytes]:
    """What a station makes of it: the frame, serial, time and what follows."""
    found = message(data)
    if found.frame.encoding == "ascii":
        text = found.content.decode("ascii")
        return found.frame, int(text[:4], 16), text[4:16], text[16:].encode()
    report = parse(0, found.content)
    return found.frame, report.serial, report.sent, report.rest


def test_the_answer_that_keeps_a_station_online() -> None:
    answer = replies.confirm(message(TIMED), AT, ZONE, stay_online=True)
    assert answer.hex().upper() == "7E7E00112233440503E832800802" + "0034170718110016" + "1BE5D4"


def test_the_answer_that_lets_it_sleep() -> None:
    answer = replies.confirm(message(TIMED), AT, ZONE, stay_online=False)
    assert answer.hex().upper() == "7E7E00112233440503E832800802" + "0034170718110016" + "042D95"


def test_the_answer_to_a_test_report() -> None:
    """Recorded: serial 3, a clock of 2059."""
    report = frame(0x30, serial=3, sent="591011154947", station="0012345678", centre=1, password="1234")
    answer = replies.confirm(message(report), datetime(2059, 10, 11, 7, 49, 47, tzinfo=UTC), ZONE, stay_online=True)
    assert answer.hex().upper() == "7E7E00123456780112343080080200035910111549471B75D4"


def test_an_answer_in_words() -> None:
    report = frame(0x32, b" ST 4403030011 H TT 2611241000 Z 13.4 ", serial=0xAB, encoding="ascii")
    found, serial, sent, rest = received(replies.confirm(message(report), NOW, ZONE, stay_online=True))
    assert (found.encoding, found.is_downlink, found.end) == ("ascii", True, ESC)
    assert (found.station, serial, sent, rest) == (STATION, 0xAB, "261124100020", b"")


def test_heartbeats_and_stations_that_only_send_get_none() -> None:
    assert not replies.wants_answer(message(frame(0x2F)))
    assert [replies.wants_answer(message(level(function=function))) for function in (0x30, 0x33, 0x36, 0x37, 0x4A)] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert not replies.wants_answer(message(level()), StationFacts(mode="M1"))


def test_a_missing_packet_is_asked_for_by_its_number() -> None:
    parts = packets(0x36, b"\xf3\xf3" + bytes(350), 100)
    connection = Connection()
    events = [event for one in (parts[0], parts[2], parts[3]) for event in connection.receive(one)]
    (missing,) = events
    assert isinstance(missing, Missing)
    data = replies.again(missing, 7, NOW, ZONE)
    assert data[13:17] == bytes.fromhex("16004002")  # a packet; of 4, number 2
    assert data[-3] == NAK
    assert [type(event) for event in connection.receive(parts[1])] == [Message]


def test_the_answer_to_many_packets_is_one() -> None:
    connection = Connection()
    parts = packets(0x36, b"\xf3\xf3" + bytes(250), 100, password="A1B2")
    (event,) = [event for one in parts for event in connection.receive(one)]
    assert isinstance(event, Message)
    data = replies.confirm(event, NOW, ZONE, stay_online=True)
    assert data.hex().upper().startswith("7E7E" + STATION + "01" + "A1B2" + "36" + "800B" + "16" + "003003" + "0001")


@pytest.mark.parametrize(
    ("data", "function", "rest"),
    [
        (replies.query(PEER, replies.REAL_TIME, 9, NOW, ZONE), 0x37, ""),
        (replies.query_chosen(PEER, 9, NOW, ZONE, ["39", "F4"]), 0x3A, "3923F460"),
        (replies.query_period(PEER, 9, NOW, ZONE, NOW, NOW, "39"), 0x38, "26112410" * 2 + "0418000005" + "3923"),
        (replies.query_period(PEER, 9, NOW, ZONE, NOW, NOW, "26", 1500), 0x38, "26112410" * 2 + "0418010100" + "2619"),
        (replies.set_clock(PEER, 9, NOW, ZONE), 0x4A, ""),
        (replies.query(PEER, replies.STATUS, 9, NOW, ZONE), 0x46, ""),
        (replies.query_chosen(WORDS, 9, NOW, ZONE, ["39", "26"]), 0x3A, b" Z PT ".hex()),
        (replies.query_period(WORDS, 9, NOW, ZONE, NOW, NOW, "39", 60), 0x38, b" 26112410 26112410 DRH01 Z ".hex()),
    ],
)
def test_questions(data: bytes, function: int, rest: str) -> None:
    found, serial, sent, body = received(data)
    assert (found.function, found.end, found.is_downlink, found.centre) == (function, ENQ, True, 3)
    assert (serial, sent, body.hex().upper()) == (9, "261124100020", rest.upper())


@pytest.mark.parametrize(("serial", "following"), [(1, 2), (65534, 65535), (65535, 1), (0, 1)])
def test_serials_go_round(serial: int, following: int) -> None:
    assert replies.next_serial(serial) == following


@pytest.mark.parametrize("encoding", ["hex", "ascii"])
def test_who_is_answered_is_who_spoke(encoding: Encoding) -> None:
    spoke = message(frame(0x2F, station="4403030012", centre=9, password="0A0B", encoding=encoding)).frame
    assert replies.peer_of(spoke) == replies.Peer("4403030012", 9, "0A0B", encoding)


def test_who_is_believed() -> None:
    stations = {
        STATION: StationFacts(centre=3, password_ok=lambda told: told == "A1B2"),
        "0000000001": StationFacts(),
    }
    assert refusal(stations, STATION, "A1B2", 3) is None
    assert refusal(stations, "0000000001", "FFFF", 77) is None
    assert refusal(stations, STATION, "A1B2", 4) == "wrong_centre"
    assert refusal(stations, STATION, "0000", 3) == "wrong_password"
    assert refusal(stations, "0000000002", "A1B2", 3) == "unknown_station"
