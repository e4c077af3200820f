"""What becomes of reports whose clock, station or body is not as it should be? Golden payloads have the rest."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.water.sl651 import clock, decode, encode
from connectors.water.sl651.body import Group
from connectors.water.sl651.connection import Connection
from connectors.water.sl651.decode import outcome
from connectors.water.sl651.elements import NAME_OF
from connectors.water.sl651.frames import Encoding
from connectors.water.stations import NONE_KNOWN, StationFacts, Stations
from schemas.source import Reject
from schemas.water import StationReading, StationTest
from tests.connectors.water.sl651.frames import CONTEXT, NOW, STATION, ZONE, frame, group, level, raw

OTHER = "4403030012"


def outcomes(data: bytes, stations: Stations = NONE_KNOWN) -> tuple[list[StationReading], list[Reject]]:
    found = [outcome(event, CONTEXT, stations) for event in Connection().receive(data)]
    rows = [row for one in found for row in one.rows]
    readings = [row for row in rows if isinstance(row, StationReading)]
    assert len(readings) == len(rows)
    return readings, [rejected for one in found for rejected in one.rejects]


def told(data: bytes, stations: Stations = NONE_KNOWN) -> list[tuple[str, float | None, str, tuple[str, ...]]]:
    """element, value, local time of day, flags."""
    readings, rejects = outcomes(data, stations)
    assert rejects == []
    return [(row.element, row.value, f"{row.observed_at.astimezone(ZONE):%H:%M:%S}", row.flags) for row in readings]


def test_a_clock_that_was_never_set() -> None:
    assert told(level(13.4, at="5911241000", sent="591124100005")) == [("level_m", 13.4, "10:00:20", ("clock",))]


@pytest.mark.parametrize(
    ("at", "sent", "flags"),
    [
        ("2611241005", "261124100005", ()),  # five minutes ahead are borne
        ("2611241006", "261124100005", ("clock",)),
        ("2611241000", "261124100521", ("clock",)),
        ("2611240000", "261124000005", ()),  # a clock behind cannot be told from a late message
        ("1412312359", "261124100005", ("clock",)),
        ("2613241000", "261124100005", ("clock",)),
        ("AAAAAAAAAA", "261124100005", ("clock",)),
    ],
)
def test_which_clocks_are_believed(at: str, sent: str, flags: tuple[str, ...]) -> None:
    ((_, _, _, found),) = told(level(at=at, sent=sent))
    assert found == flags


def test_how_far_a_clock_is_off() -> None:
    assert clock.off_s("261124100120", NOW, ZONE) == 60.0
    assert clock.off_s("261124095920", NOW, ZONE) == -60.0
    assert clock.off_s("AAAAAAAAAAAA", NOW, ZONE) is None


@pytest.mark.parametrize(
    ("at", "first", "last"),
    [
        ("2611240905", "09:05:00", "10:00:00"),  # the first value's time, as stations were recorded to send it
        ("2611241000", "09:05:00", "10:00:00"),  # the hour itself
        ("2611240955", "09:00:00", "09:55:00"),  # it cannot begin there: the end would be of 10:50
    ],
)
def test_the_twelve_values_of_an_hour(at: str, first: str, last: str) -> None:
    rows = told(frame(0x34, group(raw("F4", "F460" + "01" * 12), at=at)))
    assert (len(rows), rows[0][2], rows[-1][2]) == (12, first, last)


def test_definitions_are_read_not_assumed() -> None:
    body = group(raw("39", "3922" + "00009836"), raw("39", "391B" + "013400"), raw("F4", "F430" + "000102030405"))
    assert [row[1] for row in told(frame(0x32, body))] == [98.36, 13.4, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_several_groups_and_stations_in_one_body() -> None:
    body = group(encode.element("39", 1.5, 4, 3), at="2611240955") + group(
        encode.element("39", 2.5, 4, 3), at="2611241000", station=OTHER
    )
    readings, _ = outcomes(frame(0x32, body))
    assert [(row.station, row.value) for row in readings] == [(STATION, 1.5), (OTHER, 2.5)]


def test_a_station_speaks_for_others_only_where_the_register_lets_it() -> None:
    data = frame(0x32, group(encode.element("39", 2.5, 4, 3), station=OTHER))
    readings, (rejected,) = outcomes(data, {STATION: StationFacts()})
    assert (readings, rejected.reason) == ([], "other_station")
    relay = {STATION: StationFacts(speaks_for=frozenset((OTHER,)))}
    assert [row.station for row in outcomes(data, relay)[0]] == [OTHER]


def test_relative_levels_need_the_reference_value_of_their_own_station() -> None:
    data = frame(0x34, group(raw("F5", "F510" + "0031"), raw("F6", "F610" + "0032")))
    assert [(row[0], row[1]) for row in told(data)] == [("level_relative_m", 0.49), ("other", 0.5)]
    known = {STATION: StationFacts(reference_value_m=-0.2)}
    assert [(row[0], row[1]) for row in told(data, known)] == [("level_m", 0.29), ("other", 0.5)]


@pytest.mark.parametrize(
    ("bits", "flags"),
    [("00000040", ("gauge_fault",)), ("00000002", ("low_battery",)), ("00000042", ("low_battery", "gauge_fault"))],
)
def test_a_device_that_doubts_itself_makes_levels_doubtful_and_nothing_else(bits: str, flags: tuple[str, ...]) -> None:
    body = group(encode.element("39", 2.5, 4, 3), encode.element("26", 8.0, 3, 1), raw("45", "4520" + bits))
    readings, _ = outcomes(frame(0x32, body))
    assert [(row.element, row.quality, row.flags) for row in readings] == [
        ("level_m", "suspect", flags),
        ("rain_total_mm", "unknown", ()),
        ("status_bits", "unknown", ()),
    ]


def test_a_series_is_not_read_on_where_it_is_broken() -> None:
    step = "0418000100"
    body = group(raw("39", step + "3923" + "00001000" + "0000A000" + "26190000"), at="2611240800")
    readings, (rejected,) = outcomes(frame(0x31, body))
    assert [row.value for row in readings] == [1.0]
    assert rejected.reason == "bad_series"


def test_a_series_ends_where_the_next_group_begins() -> None:
    first = group(raw("39", "0418000100" + "3923" + "00001000" + "00002000"), at="2611240800")
    second = group(raw("F4", "0418000005" + "F460" + "F0" * 12), at="2611240905", station=None)
    rows = told(frame(0x38, first + second))
    assert [row[:3] for row in rows[:2]] == [("level_m", 1.0, "08:00:00"), ("level_m", 2.0, "09:00:00")]
    assert [row[1] for row in rows[2:]] == [24.0] * 12  # F0F0 in an array are values


def test_a_step_of_years_is_no_time() -> None:
    body = group(raw("39", "0418990000" + "3923" + "00001000" * 900), at="2611240800")
    readings, (rejected,) = outcomes(frame(0x31, body))
    assert (readings, rejected.reason) == ([], "bad_time")


def test_a_test_is_never_a_reading() -> None:
    decoded = decode(level(99.0, function=0x30, serial=7), CONTEXT)
    (row,) = decoded.rows
    assert isinstance(row, StationTest)
    assert (row.serial, row.elements) == (7, {"level_m": 99.0})


def test_an_answer_of_the_server_has_no_readings() -> None:
    data = frame(0x3A, group(encode.element("39", 2.5, 4, 3)), is_downlink=True)
    assert outcomes(data) == ([], [])


numbers = st.tuples(st.integers(0, 9_999_999), st.integers(0, 3), st.booleans())


@given(number=numbers, encoding=st.sampled_from(["hex", "ascii"]), code=st.sampled_from(["39", "26", "37", "38", "5A"]))
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(number: tuple[int, int, bool], encoding: Encoding, code: str) -> None:
    digits, decimals, is_negative = number
    value = (-digits if is_negative else digits) / 10**decimals
    item = encode.element(code, value, 5, decimals, encoding)
    body = encode.group(Group(STATION, "H", "2611241000", (item,)), encoding)
    ((_, found, at, _),) = told(frame(0x32, body, encoding=encoding))
    assert (found, at) == (value, "10:00:00")
    assert NAME_OF[code]


bodies = st.lists(
    st.one_of(
        st.sampled_from(
            [
                bytes.fromhex(text)
                for text in ("F1F1440303001148", "F0F02611241000", "392300013400", "0418000005", "F460" + "01" * 12)
            ]
        ),
        st.binary(max_size=12),
        st.just(b"\xf2\xf2Z 1.5 XX "),
    ),
    max_size=8,
).map(b"".join)


@given(function=st.sampled_from([0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x37, 0x38, 0x3A, 0x46]), body=bodies)
@example(function=0x30, body=b"\xf1\xf1" + b"\xf2\xf2Z 1.5 XX " * 2)
@settings(max_examples=300, deadline=None)
def test_a_reject_is_a_frame_with_its_item_alone(function: int, body: bytes) -> None:
    """In a series (31, 38) an item has its sense from its place: its reject is the whole message."""
    whole = decode(frame(function, body), CONTEXT)
    for first in whole.rejects:
        again = decode(first.raw.encode(), CONTEXT)
        if first.raw == frame(function, body).hex().upper():
            assert again == whole
            continue
        assert [row for row in again.rows if isinstance(row, StationReading)] == []
        assert again.rejects != []  # of a body that is rubbish the item may be wrong in another way when it is alone


ELEMENTS = "Z 13.4 M PT DRN05 DRP 0A ZT 00 VJ -1 x é Z1 1e9 RGZS"
words = st.lists(st.sampled_from(["ST", STATION, "H", "TT", "2611241000", *ELEMENTS.split()]), max_size=12).map(
    " ".join
)


@given(function=st.sampled_from([0x32, 0x38, 0x35]), body=words)
@settings(max_examples=300, deadline=None)
def test_any_words_are_answered(function: int, body: str) -> None:
    decoded = decode(frame(function, f" {body} ".encode(), encoding="ascii"), CONTEXT)
    for row in decoded.rows:
        assert isinstance(row, StationReading)
        assert len(row.station) == 10
