"""What do the decoders make of recorded payloads of the real feeds? Where the recordings are; they are not in the tree.

The figures are those of reference parking 2, counted by hand in the files.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.decoding import SourceContext
from connectors.formats import DECODERS
from connectors.parking import freiburg
from schemas.parking import Observation
from schemas.source import Reject

SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "parking"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recorded payloads beside the checkout")


def decoded(name: str, file: str, received_at: str, zone: str) -> tuple[list[Observation], list[Reject]]:
    at = datetime.fromisoformat(received_at).replace(tzinfo=UTC)
    context = SourceContext(source=name, received_at=at, zone=ZoneInfo(zone))
    result = DECODERS[name]((SAMPLES / file).read_bytes(), context)
    rows = [row for row in result.rows if isinstance(row, Observation)]
    assert len(rows) == len(result.rows)
    return rows, result.rejects


def test_hongkong_flat() -> None:
    """Q7, Q9: 487 parks, 665 rows, of which 274 have no data and 162 are flags."""
    rows, rejects = decoded("hongkong-flat", "hk/vacancy_all.json", "2025-11-15T04:42:00", "Asia/Hong_Kong")
    assert rejects == []
    assert (len({row.ref for row in rows}), len(rows)) == (487, 665)
    silent = [row for row in rows if "no_data" in row.flags]
    assert (len(silent), {row.free for row in silent}) == (274, {None})
    flags = [row for row in rows if row.mode == "flag"]
    assert Counter(row.source_status for row in flags) == {"open": 133, "full": 15, "unknown": 14}
    assert {row.free for row in flags} == {None}
    assert sum(row.mode == "closed" for row in rows) == 3
    assert sum(row.observed_at is not None and row.observed_at.year == 2021 for row in rows) == 2


def test_hongkong_example_of_the_specification() -> None:
    rows, rejects = decoded(
        "hongkong", "hk/carpark-info-vacancy.spec-example.json", "2018-10-02T03:10:00", "Asia/Hong_Kong"
    )
    assert rejects == []
    assert [(row.pool, row.free) for row in rows if row.ref == "12"] == [
        ("public", 155),
        ("ev", 5),
        ("disabled", 6),
        ("lgv", 0),
        ("hgv", 0),
        ("motorcycle", 0),
    ]


def test_singapore_duplicates_and_overcapacity() -> None:
    """Q3, Q5, Q23: SK24 of 2016 with 200 free of 181."""
    file = "sg/carpark-availability.2021-03-11.duplicates-and-overcapacity.excerpt.json"
    rows, rejects = decoded("hdb", file, "2021-03-11T12:31:00", "Asia/Singapore")
    assert rejects == []
    assert [(row.free, row.capacity) for row in rows if row.ref == "SK24"] == [(200, 181), (200, 181)]
    assert {row.observed_at.year for row in rows if row.ref == "SK24" and row.observed_at} == {2016}
    assert [(row.pool, row.free) for row in rows if row.ref == "K2T"] == [("public", 0), ("motorcycle", 2), ("hgv", 50)]


def test_singapore_lta_has_neither_time_nor_capacity() -> None:
    rows, rejects = decoded("lta", "sg/lta-CarParkAvailabilityv2.excerpt.json", "2021-03-11T12:31:00", "Asia/Singapore")
    assert rejects == []
    assert [row.free for row in rows] == [1104, 1091, 453, 448, 532]
    assert {(row.observed_at, row.time_basis, row.capacity) for row in rows} == {(None, "ingest", None)}


def test_basel_anfos_has_more_free_than_spaces() -> None:
    rows, rejects = decoded("opendatasoft", "ch-opendata/basel.json", "2024-07-28T12:07:00", "Europe/Zurich")
    assert [(row.free, row.capacity) for row in rows if row.ref == "anfos"] == [(167, 162)]
    assert len(rows) == 16
    assert [one.reason for one in rejects] == ["missing_id"]  # "Zur Zeit haben wir keine aktuellen Parkhausdaten"


def test_heidelberg_negative_faults_and_missing_counts() -> None:
    rows, rejects = decoded("ngsi-v2", "de-misc/heidelberg.json", "2024-06-08T13:26:00", "Europe/Berlin")
    assert rejects == []
    by_ref = {row.ref.rsplit(":", 1)[1]: row for row in rows}
    assert len(by_ref) == 25
    assert (by_ref["P23"].free, by_ref["P23"].capacity) == (-8, 1)
    assert {ref for ref, row in by_ref.items() if row.source_status == "fault"} == {"P02", "P03"}
    assert {ref for ref, row in by_ref.items() if "unknown_status" in row.flags} == {"P19", "P20"}
    assert (by_ref["P19"].free, by_ref["P19"].occupied) == (None, 36)
    assert {row.time_basis for row in rows} == {"feed"}


def test_karlsruhe_faults_and_closed_with_free_spaces() -> None:
    rows, rejects = decoded("karlsruhe", "de-misc/karlsruhe.json", "2024-11-27T18:42:00", "Europe/Berlin")
    assert rejects == []
    by_ref = {row.ref: row for row in rows}
    assert len(by_ref) == 90
    faults = [row for row in rows if row.source_status == "fault"]
    assert len(faults) == 5
    assert {(255, 495), (392, 392)} <= {(row.free, row.capacity) for row in faults}
    assert (by_ref["3"].mode, by_ref["3"].free, by_ref["3"].capacity) == ("closed", 226, 250)
    assert sum(row.free is None and row.source_status is None for row in rows) == 51


def test_freiburg_counts_and_places() -> None:
    rows, rejects = decoded("freiburg", "de-misc/freiburg.json", "2024-06-10T08:21:00", "Europe/Berlin")
    assert rejects == []
    assert len(rows) == 19
    assert {row.observed_at for row in rows} == {datetime(2024, 6, 10, 8, 20, tzinfo=UTC)}
    assert Counter(row.source_status for row in rows) == {"open": 17, "unknown": 2}
    places = freiburg.positions((SAMPLES / "de-misc/freiburg.json").read_bytes(), "EPSG:25832")
    assert {ref for ref, _, _ in places} == {row.ref for row in rows}
    assert all(lon is not None and 7.7 < lon < 7.95 for _, lon, _ in places)
    assert all(lat is not None and 47.9 < lat < 48.1 for _, _, lat in places)


def test_parkapi_v3_closed_with_free_spaces_and_more_free_than_was_built() -> None:
    rows, rejects = decoded(
        "parkapi-v3", "de-parkapi/parkapi-v3-sites.2026-10-05.json", "2026-10-05T03:30:00", "Europe/Berlin"
    )
    assert rejects == []
    by_ref = {row.ref: row for row in rows}
    assert (by_ref["12:70"].mode, by_ref["12:70"].free, by_ref["12:70"].capacity) == ("closed", 820, 843)
    assert (by_ref["41:1445"].free, by_ref["41:1445"].capacity) == (143, 147)
    assert (by_ref["82:DE-NW-000152"].pool, by_ref["82:DE-NW-000152"].free) == ("hgv", 0)
    assert (by_ref["70:3"].free, by_ref["70:3"].observed_at, by_ref["70:3"].time_basis) == (None, None, "ingest")


def test_npr_unix_seconds() -> None:
    rows, rejects = decoded("npr", "nl/npr-spdp-dynamic.examples.json", "2025-01-19T15:46:00", "Europe/Amsterdam")
    assert rejects == []
    assert [(row.free, row.capacity, row.source_status) for row in rows] == [(35, 350, "open"), (30, 30, "open")]
    assert rows[0].observed_at == datetime(2025, 1, 19, 15, 45, 49, tzinfo=UTC)
