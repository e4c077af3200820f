"""Do the demo's stations say what their standards say, and does the platform's own decoder read what they measured?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.decoding import context_of
from connectors.formats import DECODERS
from demo.water import hj212, lorawan, sl651, sources
from demo.water.failures import breakdowns
from demo.water.network import LORA, SL651, Station, by_id, gauges, nodes, river_stations, stations, underpasses
from demo.water.reports import Report, answer, kept, measured, report
from demo.water.stations import minutes_kept
from demo.water.storm import FACTOR, Storm, peak_min
from schemas.settings import Source, parse
from schemas.water import StationReading

MINUTE = datetime(2026, 11, 24, 2, 7, tzinfo=UTC)
PEAK = Storm(began=MINUTE, factor=FACTOR, from_min=peak_min() + 70)
PASSWORDS = {"sl651": "03E8", "hj212": "123456"}


def said(station: Station, minute: datetime = MINUTE, storm: Storm | None = None) -> Report:
    found = report(station, minute, storm, PASSWORDS.get(station.device, ""))
    assert found is not None
    return found


def settings_of() -> dict[str, Source]:
    return {source.name: source for source in parse(sources.toml(8100)).sources}


def decoded(station: Station, data: bytes, received_at: datetime) -> list[StationReading]:
    source = settings_of()[station.source]
    text = data.hex().upper().encode() if source.decoder == "sl651" else data
    found = DECODERS[source.decoder](text, context_of(source, received_at))
    assert found.rejects == []
    return [row for row in found.rows if isinstance(row, StationReading)]


def test_a_report_of_the_standard_is_written_byte_for_byte() -> None:
    at = datetime(2017, 7, 18, 3, 0, tzinfo=UTC)
    frame = sl651.report(
        function=sl651.TIMED,
        address="0011223344",
        password="03E8",
        centre=5,
        serial=0x34,
        category="H",
        sent_at=at + timedelta(seconds=16),
        observed_at=at,
        elements=[
            sl651.Element(0x20, 4.0, 3, 1),
            sl651.Element(0x26, 4.0, 3, 1),
            sl651.Element(0x39, 10.49, 4, 3),
            sl651.Element(0x38, 10.99, 2, 2),
        ],
    )
    assert frame.hex().upper() == (
        "7E7E05001122334403E832002B020034170718110016F1F1001122334448F0F01707181100"
        "20190000402619000040392300010490381210990" + "3A421"
    )


def test_elements_that_are_negative_or_have_no_value() -> None:
    assert sl651.written(sl651.level(-0.127)).hex().upper() == "392BFF00000127"
    assert sl651.written(sl651.level(None)).hex().upper() == "3923AAAAAAAA"
    assert sl651.written(sl651.level(0.0)).hex().upper() == "392300000000"
    with pytest.raises(ValueError, match="does not fit"):
        sl651.written(sl651.level(1e6))


def test_an_answer_is_found_between_rubbish_and_only_when_it_is_whole() -> None:
    answer = bytes.fromhex("7E7E00112233440503E83280080200341707181100161BE5D4")
    data = bytearray(b"DTU\x7e" + answer[:11])
    assert sl651.received(data) == []
    data += answer[11:] + answer[:-1] + b"\x00" + answer
    found = sl651.received(data)
    assert [(one.function, one.serial, one.is_taken, one.is_question) for one in found] == [
        (0x32, 0x34, True, False)
    ] * 2
    assert not data


def test_a_packet_of_the_standard_is_written_byte_for_byte() -> None:
    data = (
        "QN=20191012133710130;ST=22;CN=2011;PW=123456;MN=Y80110010000010;Flag=4;CP=&&DataTime=20191012133710;"
        "a21005-Rtd=0.00,a21005-Flag=N;a21004-Rtd=0.00,a21004-Flag=N;a21007-Rtd=0.033,a21007-Flag=N;"
        "a21006-Rtd=0.036,a21006-Flag=N;a21001-Rtd=25.40,a21001-Flag=N;a21003-Rtd=101.94,a21003-Flag=N;"
        "a21002-Rtd=49.20,a21002-Flag=N&&"
    )
    assert hj212.packet(data) == f"##0317{data}CC01\r\n".encode()


def test_an_answer_of_hj212() -> None:
    answer = hj212.packet("QN=20261124100005123;ST=91;CN=9014;PW=123456;MN=A;Flag=4;CP=&&&&")
    data = bytearray(b"##12" + answer[:20])
    assert hj212.answers(data) == []
    data += answer[20:]
    assert hj212.answers(data) == ["20261124100005123"]
    assert hj212.answers(bytearray(answer.replace(b"9014", b"9013"))) == []  # its checksum is another


def test_bytes_of_the_makers() -> None:
    assert lorawan.submersible(0.02, 100).hex() == "01756403770200"
    assert lorawan.ultrasonic(0.030, 100).hex() == "01756403821e00"
    assert lorawan.multi(2.116, 92, 25.7, is_tilted=True).hex() == "01755c0367010104824408050001"
    assert lorawan.ultrasonic(None, 1).hex() == "0175010382fdff"
    first = lorawan.uplink("24e1", "EM500-UDL", "gw", 0, MINUTE, b"\x01")
    assert b"fCnt" not in first  # zero is left out


@pytest.mark.parametrize("one", stations(), ids=lambda one: one.station_id)
def test_the_platform_reads_what_was_measured(one: Station) -> None:
    storm = None if one.station_id in breakdowns() else PEAK
    minute = MINUTE.replace(minute=0) if one.number % 2 else MINUTE
    found = measured(one, minute, storm)
    assert found is not None
    rows = decoded(one, said(one, minute, storm).data, minute + timedelta(seconds=one.second + 1))
    assert {row.station for row in rows} == {one.address}
    element = {"rain": "rain_total_mm", "underpass": "depth_m", "pipe_node": "distance_m"}.get(one.kind, "level_m")
    newest = max((row for row in rows if row.element == element), key=lambda row: row.observed_at)
    assert minute <= newest.observed_at < minute + timedelta(minutes=1)
    assert newest.value is not None
    assert found.value is not None
    told = one.height_m - newest.value if one.kind == "pipe_node" else newest.value
    assert told == pytest.approx(found.value, abs=0.0051 if one.kind == "underpass" else 0.00051)


def test_an_hourly_report_has_twelve_amounts_that_add_up() -> None:
    hour = MINUTE.replace(minute=0)
    gauge = gauges()[30]
    rows = decoded(gauge, said(gauge, hour, PEAK).data, hour + timedelta(minutes=1))
    amounts = [row.value for row in rows if row.element == "rain_5min_mm"]
    assert len(amounts) == 12
    total = {row.element: row.value for row in rows}
    assert total["rain_day_mm"] is not None
    assert sum(amount or 0 for amount in amounts) <= total["rain_day_mm"] + 0.05


def test_failures_look_like_failures() -> None:
    broken = {each.failure: by_id()[name] for name, each in breakdowns().items()}
    assert report(broken["silent"], MINUTE, PEAK, "03E8") is None
    later = MINUTE + timedelta(minutes=1)
    levels = [measured(broken["stuck"], minute, PEAK) for minute in (MINUTE, later)]
    assert levels[0] is not None and levels[1] is not None and levels[0].value == levels[1].value
    none = decoded(broken["no_value"], said(broken["no_value"], MINUTE, PEAK).data, later)
    assert [(row.value, row.quality) for row in none if row.element == "level_m"] == [(None, "missing")]
    wrong = decoded(broken["clock"], said(broken["clock"], MINUTE, PEAK).data, later)
    assert {(row.observed_at, row.flags) for row in wrong} == {(later, ("clock",))}
    tilted = decoded(broken["tilt"], said(broken["tilt"], MINUTE, PEAK).data, later)
    assert [row.quality for row in tilted if row.element == "distance_m"] == ["fail"]
    assert said(broken["line_down"], MINUTE, PEAK).waits
    behind = next(one for one in nodes() if breakdowns().get(one.station_id, None) and one.device == "EM500-UDL")
    at_peak = Storm(began=MINUTE, factor=FACTOR, from_min=peak_min())
    kept = decoded(behind, said(behind, MINUTE, at_peak).data, later)
    assert [(row.observed_at, row.flags) for row in kept] == [(MINUTE, ("backfill",))]


def test_a_clock_that_was_set_is_right_again_and_nonsense_is_not_answered() -> None:
    one = next(by_id()[name] for name, each in breakdowns().items() if each.failure == "clock")
    told = report(one, MINUTE, PEAK, "03E8", is_clock_set=True)
    assert told is not None
    assert {row.flags for row in decoded(one, told.data, MINUTE + timedelta(minutes=1))} == {()}
    for question in (sl651.Downlink(0x38, 1, sl651.ENQ, b"\xff"), sl651.Downlink(0x4B, 1, sl651.ENQ, b"")):
        assert answer(one, question, MINUTE, PEAK, "03E8") is None


@pytest.mark.parametrize("one", (gauges()[3], *river_stations()[:3]), ids=lambda one: one.station_id)
def test_a_logger_tells_each_minute_that_it_kept_with_its_own_time(one: Station) -> None:
    now = MINUTE + timedelta(seconds=20)
    minutes = minutes_kept(MINUTE - timedelta(seconds=40), now)
    assert minutes == [MINUTE - timedelta(minutes=step) for step in range(71, 0, -1)]
    storm = Storm(began=MINUTE - timedelta(seconds=40), factor=FACTOR)
    told = kept(one, minutes, now, storm, PASSWORDS[one.device])
    assert len({each.key for each in told}) == len(told) == (len(minutes) if one.device == "hj212" else 1)
    rows = [row for each in told for row in decoded(one, each.data, now + timedelta(seconds=1))]
    element = "rain_total_mm" if one.kind == "rain" else "level_m"
    assert [(row.element, row.observed_at) for row in rows] == [(element, minute) for minute in minutes]
    for row, minute in zip(rows, minutes, strict=True):
        found = measured(one, minute, storm)
        assert found is not None and row.value == pytest.approx(found.value, abs=0.00051)
    if one.kind == "rain":
        assert {row.value for row in rows} == {rows[0].value}  # not a drop before it began


def test_what_was_told_is_not_told_by_a_district_that_is_started_again() -> None:
    assert minutes_kept(MINUTE - timedelta(minutes=6), MINUTE) == []
    assert kept(gauges()[3], [], MINUTE, None, "03E8") == []
    assert kept(nodes()[0], [MINUTE], MINUTE, None, "") == []


def test_what_a_dead_station_is_asked_for_has_no_values() -> None:
    gauge = next(by_id()[name] for name, each in breakdowns().items() if each.failure == "silent")
    body = bytes.fromhex("26112410" + "26112410" + "0418000005" + "2619")
    data = answer(gauge, sl651.Downlink(0x38, 1, sl651.ENQ, body), MINUTE + timedelta(minutes=20), PEAK, "03E8")
    assert data is not None
    rows = decoded(gauge, data, MINUTE + timedelta(minutes=21))
    assert {row.element for row in rows} == {"rain_total_mm"}
    assert {row.value for row in rows if row.observed_at <= MINUTE + timedelta(minutes=5)} == {None}


def test_keys_name_one_message() -> None:
    for one in (gauges()[0], river_stations()[2], nodes()[0], underpasses()[0]):
        keys = [said(one, MINUTE + timedelta(minutes=step)).key for step in range(60)]
        assert len(set(keys)) == 60


def test_sources_of_water_connect_to_the_demo() -> None:
    found = settings_of()
    assert {source.topic for source in found.values()} == {"water.readings"}
    assert (found[SL651].transport, found[SL651].port) == ("tcp", sources.ports(8100)[SL651])
    assert (found[LORA].transport, found[LORA].url) == ("mqtt", "")
