"""Does the DATEX II decoder say what three real publishers said, and does it survive those who mean no good?"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.decoding import SourceContext, Unreadable
from connectors.parking import datex2
from schemas.parking import Observation

SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "parking" / "de-mobilithek-datex2"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recorded payloads beside the checkout")
SOURCE = SourceContext(
    source="de-stadt", received_at=datetime(2026, 11, 24, 9, 31, tzinfo=UTC), zone=ZoneInfo("Europe/Berlin")
)
PAYLOADS = Path(__file__).parents[2] / "payloads" / "datex2"


def rows_of(payload: bytes, source: SourceContext = SOURCE) -> list[Observation]:
    decoded = datex2.decode(payload, source)
    assert decoded.rejects == []
    return [row for row in decoded.rows if isinstance(row, Observation)]


def site(inner: str) -> bytes:
    return (
        '<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0"><payloadPublication><parkingStatusPublication>'
        f"<parkingRecordStatus>{inner}</parkingRecordStatus>"
        "</parkingStatusPublication></payloadPublication></d2LogicalModel>"
    ).encode()


def sample(name: str, received_at: datetime) -> list[Observation]:
    return rows_of((SAMPLES / name).read_bytes(), msgspec.structs.replace(SOURCE, received_at=received_at))


@needs_samples
def test_aachen_has_closed_sites_with_many_free_spaces() -> None:
    rows = {row.ref: row for row in sample("aachen-realtime.xml", datetime(2025, 2, 7, 19, 11, tzinfo=UTC))}
    assert len(rows) == 17
    closed = {ref: row.free for ref, row in rows.items() if row.mode == "closed"}
    assert closed == {"P5": 0, "P13": 0, "P14": 180, "P18": 518}
    first = rows["P1"]
    assert (first.free, first.occupied, first.capacity, first.inside) == (412, 148, 560, 148)
    assert (first.mode, first.source_status, first.percent_occupied) == ("count", "open", 26.43)
    assert first.observed_at == datetime(2025, 2, 7, 19, 5, 34, 176000, tzinfo=UTC)
    older = [r for r in rows.values() if r.observed_at and (r.received_at - r.observed_at).days >= 1]
    assert len(older) == 3


@needs_samples
def test_aachen_gives_thresholds_one_space_apart() -> None:
    found = {t.ref: t for t in datex2.thresholds((SAMPLES / "aachen-realtime.xml").read_bytes(), SOURCE)}
    assert len(found) == 15
    first = found["P1"]
    assert (first.almost_full_enter, first.almost_full_leave, first.full_enter, first.full_leave) == (56, 57, 0, 1)


@needs_samples
def test_stuttgart_has_old_lots_sentinels_and_closed_lots() -> None:
    received_at = datetime(2023, 10, 7, 1, 46, tzinfo=UTC)
    rows = sample("stuttgart-realtime.xml", received_at)
    sites = [row for row in rows if row.pool == "public"]
    assert len(sites) == 49
    assert Counter(row.pool for row in rows) == {"public": 49, "group_1": 39, "group_2": 7}
    sentinel = [row for row in sites if "sentinel_time" in row.flags]
    assert [(row.observed_at, row.free, row.source_status) for row in sentinel] == [(None, 0, "open")] * 2
    old = [row for row in sites if row.observed_at and (received_at - row.observed_at).days >= 1]
    assert len(old) + len(sentinel) == 28
    closed = sorted(row.free or 0 for row in sites if row.mode == "closed")
    assert (len(closed), closed[0], closed[-1]) == (4, 141, 1022)
    assert sum(row.mode == "flag" and row.source_status == "unknown" for row in sites) == 9
    assert [row.ref for row in sites if row.source_status == "full"] == ["12717345"]


@needs_samples
def test_bondorf_keeps_its_strange_id_and_seven_digits() -> None:
    (row,) = sample("vrs_bondorf-realtime.xml", datetime(2025, 5, 9, 19, 42, tzinfo=UTC))
    assert row.ref == "1035[P+R Bondorf]"
    assert (row.free, row.occupied, row.capacity) == (215, 98, 313)
    assert row.observed_at == datetime(2025, 5, 9, 19, 41, 58, 546153, tzinfo=UTC)
    assert row.percent_occupied == pytest.approx(31.3099041533546)


@needs_samples
def test_a_static_table_is_no_status() -> None:
    (rejected,) = datex2.decode((SAMPLES / "aachen-static.xml").read_bytes(), SOURCE).rejects
    assert rejected.reason == "bad_document"


def test_thresholds_of_our_own_payload() -> None:
    found = datex2.thresholds((PAYLOADS / "normal" / "payload.xml").read_bytes(), SOURCE)
    assert found == [
        datex2.Thresholds(ref="G-01", almost_full_enter=40, almost_full_leave=41, full_enter=1, full_leave=3)
    ]


def test_thresholds_of_no_document_say_so() -> None:
    with pytest.raises(Unreadable, match="not_xml"):
        datex2.thresholds(b"no thresholds here", SOURCE)


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_two_statuses_does_not_matter(order: int) -> None:
    words = [
        "<parkingFacilityStatus>closed</parkingFacilityStatus>",
        "<parkingFacilityStatus>full</parkingFacilityStatus>",
    ]
    payload = (
        "<d><parkingFacilityTableStatusPublication><parkingFacilityStatus><parkingFacilityReference id='7'/>"
        + "".join(words[::order])
        + "<totalNumberOfVacantParkingSpaces>5</totalNumberOfVacantParkingSpaces>"
        "</parkingFacilityStatus></parkingFacilityTableStatusPublication></d>"
    )
    (row,) = rows_of(payload.encode())
    assert (row.mode, row.source_status, row.free) == ("closed", "closed", 5)


@pytest.mark.parametrize("case", ["normal", "v3", "facility", "graded"])
def test_prefixes_and_namespaces_do_not_matter(case: str) -> None:
    text = (PAYLOADS / case / "payload.xml").read_text()
    for prefix in ("d2:", "ns5:", "ns2:", "ns3:"):
        text = text.replace(f"<{prefix}", f"<zz_{prefix}").replace(f"</{prefix}", f"</zz_{prefix}")
        text = text.replace(f"xmlns:{prefix[:-1]}=", f"xmlns:zz_{prefix[:-1]}=").replace(f'"{prefix}', f'"zz_{prefix}')
    text = text.replace("http://datex2.eu/schema/2/2_0", "http://datex2.eu/schema/9/moved")
    before = datex2.decode((PAYLOADS / case / "payload.xml").read_bytes(), SOURCE)
    after = datex2.decode(text.encode(), SOURCE)
    assert [msgspec.structs.replace(row, raw_ref=None) for row in after.rows if isinstance(row, Observation)] == [
        msgspec.structs.replace(row, raw_ref=None) for row in before.rows if isinstance(row, Observation)
    ]
    assert [rejected.reason for rejected in after.rejects] == [rejected.reason for rejected in before.rejects]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'<!DOCTYPE d SYSTEM "http://198.51.100.7/x.dtd"><d/>', "dtd_refused"),
        (
            '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE d [<!ENTITY x "y">]><d>&x;</d>'.encode("utf-16"),
            "dtd_refused",
        ),
        (b"<d>&undefined;</d>", "not_xml"),
        (b"", "not_xml"),
        (b"\x1f\x8b\x08\x00 gzip that nobody unpacked", "not_xml"),
        (b'<?xml version="1.0" encoding="no-such-thing"?><d/>', "not_xml"),
        (b"<d>" + b"<a b='c'>" * 100_000, "not_xml"),
        (b'{"json": true}', "not_xml"),
        (b"<d/>", "bad_document"),
    ],
)
def test_hostile_documents_are_one_reject(payload: bytes, reason: str) -> None:
    decoded = datex2.decode(payload, SOURCE)
    assert decoded.rows == []
    assert [rejected.reason for rejected in decoded.rejects] == [reason]


def test_an_empty_publication_is_no_error() -> None:
    decoded = datex2.decode(b"<d><parkingStatusPublication/></d>", SOURCE)
    assert decoded.items == 0


def test_too_many_items_are_rejected_as_a_whole() -> None:
    one = "<parkingRecordStatus><parkingRecordReference id='a'/></parkingRecordStatus>"
    payload = f"<d><parkingStatusPublication>{one * 11}</parkingStatusPublication></d>".encode()
    assert datex2.decode(payload, msgspec.structs.replace(SOURCE, rows_limit=11)).items == 11
    decoded = datex2.decode(payload, msgspec.structs.replace(SOURCE, rows_limit=10))
    assert [rejected.reason for rejected in decoded.rejects] == ["too_many_rows"]
    assert decoded.rows == []


def test_a_reject_of_a_group_says_whose_it_is_and_nothing_of_its_neighbours() -> None:
    group = (
        "<groupOfParkingSpacesStatus groupIndex='{}'><parkingOccupancy><parkingNumberOfVacantSpaces>{}"
        "</parkingNumberOfVacantSpaces></parkingOccupancy></groupOfParkingSpacesStatus>"
    )
    decoded = datex2.decode(
        site("<parkingRecordReference id='S'/>" + group.format(1, 4) + group.format(2, "x")), SOURCE
    )
    (rejected,) = decoded.rejects
    assert 'id="S"' in rejected.raw
    assert 'groupIndex="1"' not in rejected.raw


texts = st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="<>&"), max_size=12)
numbers = st.one_of(texts, st.integers(-(10**12), 10**12).map(str), st.sampled_from(["NaN", "1e308", "", "12", "0"]))


def status(record: dict[str, Any]) -> str:
    groups = "".join(
        f"<groupOfParkingSpacesStatus groupIndex='{index}'><parkingOccupancy><parkingNumberOfVacantSpaces>{free}"
        "</parkingNumberOfVacantSpaces></parkingOccupancy></groupOfParkingSpacesStatus>"
        for index, free in enumerate(record["groups"])
    )
    return (
        f"<parkingRecordStatus><parkingRecordReference id='{record['id']}'/>"
        f"<parkingStatusOriginTime>{record['time']}</parkingStatusOriginTime><parkingOccupancy>"
        f"<parkingNumberOfVacantSpaces>{record['free']}</parkingNumberOfVacantSpaces>"
        f"<parkingOccupancy>{record['percent']}</parkingOccupancy></parkingOccupancy>"
        f"<parkingSiteStatus>{record['word']}</parkingSiteStatus>{groups}</parkingRecordStatus>"
    )


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "id": st.sampled_from(["A", "B", "7[x]"]),
                "time": st.one_of(texts, st.just("2026-11-24T09:30:00.123456789Z"), st.just("1970-01-01T00:00:00Z")),
                "free": st.one_of(st.just("5"), numbers),
                "percent": numbers,
                "word": st.one_of(texts, st.sampled_from(["full", "closed", "almostFull"])),
                "groups": st.lists(numbers, max_size=3),
            }
        ),
        max_size=6,
    )
)
def test_rows_and_rejects_account_for_every_item(records: list[dict[str, Any]]) -> None:
    payload = f"<d><parkingStatusPublication>{''.join(map(status, records))}</parkingStatusPublication></d>".encode()
    decoded = datex2.decode(payload, SOURCE)
    if any(r.reason == "not_xml" for r in decoded.rejects):  # a character that XML has not: the document is one item
        assert decoded.items == 1
        return
    has_total = [
        bool(record["free"].strip() or record["percent"].strip() or record["word"].strip()) or not record["groups"]
        for record in records
    ]
    assert decoded.items == sum(has_total) + sum(len(record["groups"]) for record in records)
    for row in decoded.rows:
        assert msgspec.json.decode(msgspec.json.encode(row), type=Observation) == row


@given(st.binary(max_size=200))
def test_no_bytes_raise(payload: bytes) -> None:
    assert datex2.decode(payload, SOURCE).items >= 1
