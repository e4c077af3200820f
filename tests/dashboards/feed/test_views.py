"""Views of one minute: every lot in each, numbers that are numbers, nulls that have a reason."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from connectors.decoding import SourceContext
from connectors.parking.datex2 import decode
from dashboards.feed.example import example
from dashboards.feed.files import ALL, FILES, LINKS
from dashboards.feed.records import Envelope, LotStatusData
from dashboards.feed.snapshot import Snapshot, publisher_of, register_at, snapshot_of
from dashboards.feed.views import datex2, geojson, parkapi, quality, status, table
from dashboards.feed.views.status import counted
from schemas.gcj02 import gcj02_to_wgs84
from schemas.parking import Observation
from schemas.registers import SourceTerms
from schemas.settings import Settings
from tests.dashboards.feed.minutes import LOADED_AT, MINUTE, minute_rows, minute_run, register, snapshot

LOTS = 24
NAMES = [f"lh-{number:04d}" for number in range(1, LOTS + 1)]
JSON_FILES = [file for file in FILES if file.record is not None]
ENVELOPES = [file for file in JSON_FILES if "geojson" not in file.name and "parkapi" not in file.name]


@pytest.fixture(scope="module")
def minute() -> Snapshot:
    return snapshot(LOTS)


def document(name: str, of: Snapshot) -> Any:
    return json.loads(next(file for file in ALL if file.name == name).render(of))


def test_every_registered_lot_is_in_every_view_in_the_same_order(minute: Snapshot) -> None:
    views = ("lot_status.json", "lot_information.json", "share_windows.json", "pricing.json", "forecast.json")
    for name in views:
        assert [lot["lot_id"] for lot in document(name, minute)["data"]["lots"]] == NAMES, name
    assert [feature["id"] for feature in document("lots.geojson", minute)["features"]] == NAMES
    assert [lot["id"] for lot in document("parkapi/v1/city.json", minute)["lots"]] == NAMES
    lines = status.lot_status_lines(minute).splitlines()
    assert [json.loads(line)["lot_id"] for line in lines] == NAMES
    rows = list(csv.DictReader(io.StringIO(table.lots_csv(minute).decode("utf-8-sig"))))
    assert [row["lot_id"] for row in rows] == NAMES
    for xml, path in ((datex2.table_xml, ".//{*}parkingRecord"), (datex2.status_xml, ".//{*}parkingRecordReference")):
        assert [element.get("id") for element in etree.fromstring(xml(minute)).iterfind(path)] == NAMES


def test_a_registered_lot_that_was_not_computed_is_unknown_and_says_so() -> None:
    whole = register(3)
    rows = minute_rows(whole)[:2]
    found = snapshot_of(minute_run(rows), rows, register_at(MINUTE, whole, LOADED_AT), [], publisher_of(Settings()))
    last = document("lot_status.json", found)["data"]["lots"][2]
    assert (last["lot_id"], last["status"], last["available"]) == ("lh-0003", "unknown", None)
    assert last["reason"] == "not_computed"


def test_a_record_of_each_kind(minute: Snapshot) -> None:
    lots = {lot["lot_id"]: lot for lot in document("lot_status.json", minute)["data"]["lots"]}
    zero, expired, never, flag, closed = (lots[f"lh-{n:04d}"] for n in (4, 5, 6, 7, 8))
    assert (zero["available"], zero["status"], zero["reason"]) == (0, "full", None)
    assert (expired["available"], expired["reason"]) == (None, "expired")
    assert expired["last_known"] == {"available": 31, "at": "2026-11-24T10:11:00+08:00"}
    assert (never["observed_at"], never["age_s"], never["freshness"]) == (None, None, "never")
    assert (flag["mode"], flag["available"], flag["reason"]) == ("flag", None, "flag_only")
    assert (closed["status"], closed["available"]) == ("closed", 0)


def test_golden_record() -> None:
    first = document("lot_status.json", example())["data"]["lots"][0]
    assert first == {
        "lot_id": "lh-0042", "status": "almost_full", "status_since": "2026-11-24T10:19:00+08:00",
        "opening_status": "open", "available": 18, "available_min": 16, "available_max": 18, "capacity": 186,
        "occupied": 168, "mode": "count", "observed_at": "2026-11-24T10:30:21+08:00",
        "received_at": "2026-11-24T10:30:24+08:00", "published_at": "2026-11-24T10:31:00+08:00", "time_basis": "lot",
        "freshness": "fresh", "age_s": 39, "quality": {"score": 0.97, "flags": []}, "trend": "increasing",
        "ttf_min": 12, "ttf_min_low": 9, "ttf_min_high": 17,
        "thresholds": {"almost_full": [19, 24], "full": [1, 4]},
        "pools": [{"pool": "disabled", "vehicle": "car", "audience": "disabled", "exclusive": True, "status": "open",
                   "available": 1, "capacity": 4, "observed_at": None, "freshness": "fresh", "flags": [],
                   "reason": None}],
        "share": {"state": "open", "spaces_contract": 40, "spaces_now": 40, "available": 11, "available_min": None,
                  "available_max": None, "in_use": None, "held": None, "overstay": None, "opens_at": None,
                  "last_entry_at": "2026-11-24T17:45:00+08:00", "must_leave_by": "2026-11-24T18:30:00+08:00",
                  "entrance_id": None, "eligibility": "anyone", "overstay_rule_zh": None, "overstay_rule_en": None,
                  "next": None, "flags": [], "reason": None},
        "last_known": None, "reason": None, "source": "op-jst",
    }  # fmt: skip


def test_the_envelope_moves_with_the_tick_and_the_register_with_its_changes(minute: Snapshot) -> None:
    later = snapshot(LOTS, MINUTE + timedelta(minutes=1), content_seq=101)
    for file in ENVELOPES:
        before, after = json.loads(file.render(minute)), json.loads(file.render(later))
        assert set(before) == {"last_updated", "ttl", "version", "content_seq", "data"}
        if file.family == "minute":
            assert before["last_updated"] == "2026-11-24T10:31:00+08:00"
            assert after["last_updated"] == "2026-11-24T10:32:00+08:00"
            assert (before["content_seq"], after["content_seq"]) == (100, 101)
        else:
            assert file.render(minute) == file.render(later)
            assert before["last_updated"] == "2026-11-01T08:00:00+08:00"


def test_ttl_of_status_and_forecast(minute: Snapshot) -> None:
    assert document("lot_status.json", minute)["ttl"] == 60
    assert document("forecast.json", minute)["ttl"] == 300


def test_json_files_decode_by_the_types_that_the_openapi_document_shows(minute: Snapshot) -> None:
    for file in JSON_FILES:
        msgspec.json.decode(file.render(minute), type=file.record, strict=True)


def test_views_are_functions_of_the_minute(minute: Snapshot) -> None:
    again = snapshot(LOTS)
    for file in ALL:
        assert file.render(minute) == file.render(again), file.path


def test_every_time_has_the_offset_of_the_district(minute: Snapshot) -> None:
    for file in JSON_FILES:
        for text in strings(json.loads(file.render(minute))):
            if len(text) > 15 and text[4] == "-" and text[10] == "T":
                assert datetime.fromisoformat(text).utcoffset() == timedelta(hours=8), (file.path, text)


def test_the_table_has_a_byte_order_mark_and_tells_zero_from_unknown(minute: Snapshot) -> None:
    body = table.lots_csv(minute)
    assert body.startswith(b"\xef\xbb\xbf")
    rows = {row["lot_id"]: row for row in csv.DictReader(io.StringIO(body.decode("utf-8-sig")))}
    assert (rows["lh-0004"]["available"], rows["lh-0006"]["available"]) == ("0", "")
    assert rows["lh-0004"]["name_zh"].startswith("黄贝")


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@cmd", "\tx"])
def test_a_name_is_not_run_as_a_formula(text: str) -> None:
    assert table.cell(text) == "'" + text


def test_numbers_keep_their_sign() -> None:
    assert table.cell(-1) == "-1"


def test_geojson_is_rfc_7946(minute: Snapshot) -> None:
    collection = json.loads(geojson.lots_geojson(minute))
    assert collection["type"] == "FeatureCollection" and "crs" not in collection
    for feature in collection["features"]:
        assert feature["type"] == "Feature" and feature["geometry"]["type"] == "Point"
        longitude, latitude = feature["geometry"]["coordinates"]
        assert 113 < longitude < 115 and 22 < latitude < 23


def test_gcj02_stands_beside_wgs84(minute: Snapshot) -> None:
    for lot in document("lot_information.json", minute)["data"]["lots"]:
        lat, lon = gcj02_to_wgs84(lot["gcj02"]["lat"], lot["gcj02"]["lon"])
        assert abs(lat - lot["wgs84"]["lat"]) < 1e-6 and abs(lon - lot["wgs84"]["lon"]) < 1e-6
        assert lot["gcj02"] != lot["wgs84"]


def test_datex_status_says_to_a_reader_what_the_feed_says(minute: Snapshot) -> None:
    source = SourceContext(source="feed", received_at=MINUTE, zone=ZoneInfo("Asia/Shanghai"))
    found = decode(datex2.status_xml(minute), source)
    assert found.rejects == []
    rows = [row for row in found.rows if isinstance(row, Observation)]
    said = {row.ref: row for row in rows if row.pool == "public"}
    for record in status.records(minute):
        row = said[record.lot_id]
        if record.status == "closed":
            assert row.source_status == "closed"
        else:
            assert row.free == record.available, record.lot_id
        assert row.observed_at == record.observed_at


def test_datex_uses_the_names_and_namespaces_of_version_3(minute: Snapshot) -> None:
    root = etree.fromstring(datex2.table_xml(minute))
    assert root.tag == "{http://datex2.eu/schema/3/d2Payload}payload"
    record = root.find(".//{http://datex2.eu/schema/3/parking}parkingRecord")
    assert record is not None
    assert record.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "prk:UrbanParkingSite"
    names = [etree.QName(child).localname for child in record]
    assert names[:3] == ["parkingName", "parkingRecordVersionTime", "parkingNumberOfSpaces"]


def test_parkapi_never_shows_a_zero_for_unknown(minute: Snapshot) -> None:
    lots = {lot["id"]: lot for lot in json.loads(parkapi.city(minute))["lots"]}
    assert (lots["lh-0006"]["free"], lots["lh-0006"]["state"]) == (None, "nodata")
    assert (lots["lh-0004"]["free"], lots["lh-0004"]["state"]) == (0, "open")
    assert lots["lh-0008"]["state"] == "closed"


def test_quality_gives_sums_with_their_coverage(minute: Snapshot) -> None:
    data = json.loads(quality.quality(minute))["data"]
    area = data["areas"][0]
    assert area["lots_total"] == LOTS and area["lots_live"] < LOTS and area["available_unknown_spaces"] > 0
    assert data["slo"]["publication_every_s"] == 60


def test_attribution_and_licence_are_never_blank(minute: Snapshot) -> None:
    data = document("system_information.json", minute)["data"]
    assert data["license_id"] and data["license_url"] and data["terms_last_updated"]
    assert all(row["licence"] and row["attribution"] for row in data["attribution"])
    told = [(row["source"], row["licence"]) for row in data["attribution"]]
    assert told == [("op-a", "CC-BY-4.0"), ("op-b", "NOASSERTION")], "unknown terms are not those of this feed"


def test_sources_that_no_lot_has_are_not_attributed(minute: Snapshot) -> None:
    more = SourceTerms(source="elsewhere", licence="", attribution="Elsewhere")
    publisher = msgspec.structs.replace(minute.publisher, source_terms=(more,))
    asked = msgspec.structs.replace(minute, publisher=publisher)
    data = document("system_information.json", asked)["data"]
    assert "elsewhere" not in {row["source"] for row in data["attribution"]}


def test_discovery_names_every_file(minute: Snapshot) -> None:
    feeds = document("parking.json", minute)["data"]["feeds"]
    assert {feed["url"] for feed in feeds} == {link.url for link in LINKS}
    assert {file.path for file in FILES} < {feed["url"] for feed in feeds}


def test_discovery_names_what_is_asked_with_a_parameter_too(minute: Snapshot) -> None:
    templates = {row["name"]: row["url_template"] for row in document("parking.json", minute)["data"]["templates"]}
    assert set(templates) == {"snapshot", "history", "usable", "delta", "dump"}
    assert all(url.startswith("/parking/v1/") for url in templates.values())


def test_a_forecast_that_is_not_served_says_why(minute: Snapshot) -> None:
    lots = document("forecast.json", minute)["data"]["lots"]
    assert {bool(lot["horizons"]) for lot in lots} == {True, False}
    for lot in lots:
        assert bool(lot["horizons"]) == (lot["reason"] is None)


def test_the_register_file_moves_when_a_date_in_it_comes() -> None:
    whole = register(3)
    ends = MINUTE + timedelta(minutes=1)
    lots = (msgspec.structs.replace(whole.lots[0], valid_to=ends), *whole.lots[1:])
    dated = msgspec.structs.replace(whole, lots=lots)
    before, after = (register_at(at, dated, LOADED_AT) for at in (MINUTE, ends))
    assert [lot.lot_id for lot in before.lots] == NAMES[:3]
    assert [lot.lot_id for lot in after.lots] == NAMES[1:3]
    assert after.changed_at == ends and after.seq == before.seq + 1


counts = st.none() | st.integers(-5, 400)


@given(available=counts, capacity=st.none() | st.integers(0, 300), reason=st.none() | st.just("expired"))
def test_available_lies_within_capacity_and_null_has_a_reason(
    available: int | None, capacity: int | None, reason: str | None
) -> None:
    number, why = counted(available, capacity, reason)
    if number is None:
        assert why
    else:
        assert number >= 0 and (capacity is None or number <= capacity)
        assert number == available


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), lots=st.integers(1, 30))
def test_any_minute_keeps_the_promises_of_the_record(seed: int, lots: int) -> None:
    found = snapshot(lots, seed=seed)
    for record in msgspec.json.decode(status.lot_status(found), type=Envelope[LotStatusData]).data.lots:
        numbers = [(record.available, record.capacity, record.reason)]
        numbers += [(pool.available, pool.capacity, pool.reason) for pool in record.pools]
        for available, capacity, reason in numbers:
            if available is None:
                assert reason
            else:
                assert capacity is not None and 0 <= available <= capacity
        if record.available_min is not None and record.available_max is not None and record.available is not None:
            assert record.available_min <= record.available <= record.available_max


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []
