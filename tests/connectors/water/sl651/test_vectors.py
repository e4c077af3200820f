"""Do the public frames of SL 651 decode to their known values, however they arrive? Where the samples are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.decoding import SourceContext
from connectors.water.scanner import Rubbish
from connectors.water.sl651 import decode
from connectors.water.sl651.answers import parameters, reference_value_m, version
from connectors.water.sl651.connection import Connection
from connectors.water.sl651.packets import Message, Missing
from connectors.water.sl651.reports import report_of
from schemas.water import StationReading, StationTest
from tests.connectors.water.cuts import SAMPLES, told

FILE = SAMPLES / "sl651" / "frames_decoded.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())["frames"] if FILE.exists() else []
GOOD = [vector for vector in VECTORS if vector["crc_ok"]]
BAD = [vector for vector in VECTORS if not vector["crc_ok"]]
SINGLE = [vector for vector in GOOD if "packets" not in vector]
PACKETS = [vector for vector in GOOD if "packets" in vector]
ZONE = ZoneInfo("Asia/Shanghai")

pytestmark = pytest.mark.skipif(not VECTORS, reason="no recorded frames beside the checkout")


def data(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["frame"])


def name(vector: dict[str, Any]) -> str:
    return f"{vector['func']}-{vector['dir']}-{vector.get('packet_no', '')}"


def at(digits: str) -> datetime:
    return datetime.strptime(digits, "%y%m%d%H%M").replace(tzinfo=ZONE).astimezone(UTC)


def context(vector: dict[str, Any]) -> SourceContext:
    """Received 20 s after it was sent, so that a clock of 2059 is believed too."""
    sent = at(vector["sent"][:10]) + timedelta(seconds=int(vector["sent"][10:]) + 20)
    return SourceContext(source="vectors", received_at=sent, zone=ZONE)


def message(vector: dict[str, Any]) -> Message:
    (event,) = Connection().receive(data(vector))
    assert isinstance(event, Message)
    return event


@pytest.mark.parametrize("vector", SINGLE, ids=name)
def test_the_header(vector: dict[str, Any]) -> None:
    found = message(vector)
    frame = found.frame
    assert frame.data == data(vector)
    assert frame.is_downlink == (vector["dir"] == "down")
    assert (f"{frame.function:02X}", frame.centre, frame.station) == (
        vector["func"],
        vector["centre"],
        vector["station"],
    )
    assert (frame.password, f"{frame.end:02X}") == (vector["password"], vector["end"])
    report = report_of(found)
    assert (report.serial, report.sent) == (vector["serial"], vector["sent"])


KNOWN = {
    "20": "rain_day_mm",
    "26": "rain_total_mm",
    "38": "voltage_v",
    "39": "level_m",
    "F4": "rain_5min_mm",
    "F5": "level_relative_m",
}


@pytest.mark.parametrize("vector", [vector for vector in SINGLE if "elements" in vector], ids=name)
def test_the_values(vector: dict[str, Any]) -> None:
    decoded = decode(vector["frame"].encode(), context(vector))
    assert decoded.rejects == []
    if vector["func"] == "30":
        (test,) = decoded.rows
        assert isinstance(test, StationTest)
        assert test.elements == {KNOWN[each["id"]]: each["value"] for each in vector["elements"]}
        return
    wanted = []
    for each in vector["elements"]:
        values = each["value"] if isinstance(each["value"], list) else [each["value"]]
        wanted += [
            (vector["obs_station"], KNOWN[each["id"]], at(each["obs"]) + timedelta(minutes=5 * place), value)
            for place, value in enumerate(values)
        ]
    rows = [row for row in decoded.rows if isinstance(row, StationReading)]
    assert [(row.station, row.element, row.observed_at, row.value) for row in rows] == wanted
    assert all((row.quality == "missing") == (row.value is None) for row in rows)


def test_a_relative_level_is_above_the_reference_value_that_the_station_says() -> None:
    """10.490 absolute and 0.49 relative in the hourly frame; 10.000 in the run parameters."""
    by_function = {vector["func"]: vector for vector in SINGLE}
    reference = reference_value_m(report_of(message(by_function["43"])))
    assert reference == 10.0
    options = {"stations": {"0011223344": {"reference_value_m": reference}}}
    hourly = by_function["34"]
    source = SourceContext(source="vectors", received_at=context(hourly).received_at, zone=ZONE, options=options)
    rows = [row for row in decode(hourly["frame"].encode(), source).rows if isinstance(row, StationReading)]
    levels = {
        (row.flags, row.value) for row in rows if row.element == "level_m" and row.observed_at == at("1707181100")
    }
    assert levels == {((), 10.49), (("coarse",), 10.49)}


def test_answers_about_the_station() -> None:
    by_function = {vector["func"]: report_of(message(vector)) for vector in SINGLE}
    assert version(by_function["45"]) == "DATA86-SW-V1.2(H)"
    assert parameters(by_function["41"])["02"].hex().upper() == "280011223344"
    (status,) = by_function["46"].groups[0].items
    assert (status.code, status.values) == ("45", (1024.0,))


@pytest.mark.parametrize("vector", BAD, ids=name)
def test_the_bad_checksums_are_rejects(vector: dict[str, Any]) -> None:
    (event, *rest) = [*(connection := Connection()).receive(data(vector)), *connection.close()]
    assert (rest, isinstance(event, Rubbish), event.data) == ([], True, data(vector))  # type: ignore[union-attr]
    (rejected,) = decode(vector["frame"].encode(), context(vector)).rejects
    assert (rejected.reason, rejected.raw) == ("bad_crc", vector["frame"].upper())


@pytest.mark.parametrize("vector", SINGLE, ids=name)
def test_byte_by_byte_and_between_rubbish(vector: dict[str, Any]) -> None:
    whole = message(vector)
    assert told(Connection().receive, [bytes((byte,)) for byte in data(vector)]) == ([whole], b"")
    for rubbish in (b"\x7e", b"\x7e\x7e\x01", b"AT+CSQ\r\n", data(BAD[0]), data(vector)[:-1], data(vector)[1:]):
        found, rest = told(Connection().receive, [rubbish + data(vector) + rubbish + data(vector)])
        assert found == [whole, whole]
        assert rest == rubbish * 2


def test_all_glued() -> None:
    glued = b"".join(data(vector) for vector in VECTORS)
    found, rubbish = told(Connection().receive, [glued])
    assert [event.frame.data for event in found if isinstance(event, Message)] == [data(vector) for vector in SINGLE]
    assert rubbish == b"".join(data(vector) for vector in BAD)
    one_by_one = Connection()
    assert told(one_by_one.receive, [bytes((byte,)) for byte in glued]) == (found, rubbish)


def test_the_picture_lacks_three_packets_and_says_which() -> None:
    """Thirteen packets, of which ten were published."""
    numbers = [vector["packet_no"] for vector in PACKETS]
    connection = Connection()
    events = [event for vector in PACKETS for event in connection.receive(data(vector))]
    (missing,) = events
    assert isinstance(missing, Missing)
    assert missing.numbers == tuple(number for number in range(1, 14) if number not in numbers)
