"""Every released record can still be read: tests/schemas/records holds one of each schema version, for ever."""

from __future__ import annotations

import contextlib
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.alerts import ACKNOWLEDGED
from schemas.batch import ROW_TYPES, SCHEMA_OF, BatchError, decode, encode
from schemas.parking import Observation
from schemas.source import Tick
from schemas.water import StationReading, columns_of

RECORDS_OF = Path(__file__).parent / "records"
RECORDS = sorted(RECORDS_OF.glob("*.json"))
NOW = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_released_record_reads_as_it_did(path: Path) -> None:
    record = path.read_bytes()
    batch = decode(record)
    assert batch.schema == path.stem
    assert batch.bad == []
    written = _rows(msgspec.json.decode(record)["rows"])
    for row, fields in zip(batch.each(), written, strict=True):
        for name, value in fields.items():
            assert msgspec.to_builtins(getattr(row, name)) == _same_form(value, getattr(row, name))
    again = decode(encode(batch.schema, batch.each()))
    assert again.rows == batch.rows


def _rows(written: Any) -> list[dict[str, Any]]:
    """The rows of a record, also where they are written as columns."""
    if isinstance(written, list):
        return written
    rows = [dict(zip(written, place, strict=True)) for place in zip(*written.values(), strict=True)]
    return [row | {"flags": (row["flags"] or "").split(",") if row["flags"] else []} for row in rows]


def _same_form(value: Any, read: Any) -> Any:
    if isinstance(read, datetime):
        return msgspec.to_builtins(datetime.fromisoformat(value))
    return tuple(value) if isinstance(value, list) else value


def test_there_is_a_golden_record_of_every_schema() -> None:
    assert {path.stem for path in RECORDS} == set(ROW_TYPES)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_field_of_a_later_release_is_ignored(path: Path) -> None:
    record = msgspec.json.decode(path.read_bytes())
    later = {"deep": [1]}
    if isinstance(record["rows"], dict):
        record["rows"]["of_a_later_release"] = [later] * len(record["rows"]["source"])
    else:
        record["rows"] = [row | {"of_a_later_release": later} for row in record["rows"]]
    assert decode(msgspec.json.encode(record)).bad == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ref": ""}, "an empty id"),
        ({"ref": "x" * 129}, "an endless id"),
        ({"ref": "a\x00b"}, "NUL in an id"),
        ({"ref": "a\nb"}, "a line break in an id"),
        ({"raw_text": "a\x00b"}, "NUL in a text"),
        ({"free": 1e308}, "no whole number"),
        ({"free": 10**12}, "no number of spaces"),
        ({"received_at": "2026-11-24T02:30:24"}, "a time without a zone"),
        ({"observed_at": "1970-01-01T00:00:00Z"}, "a sentinel"),
        ({"observed_at": "2026-11-26T02:30:24Z"}, "a time two days ahead"),
        ({"kind": "correct"}, "a correction of nothing"),
        ({"mode": "guess"}, "an unknown mode"),
        ({"flags": ["x"] * 17}, "endless flags"),
    ],
)
def test_a_row_that_breaks_the_contract_is_bad_and_its_neighbours_are_not(change: dict[str, Any], why: str) -> None:
    good = {"source": "op", "ref": "1", "free": 0, "received_at": "2026-11-24T02:30:24Z"}
    record = {"schema": "parking.observation.v1", "rows": [good, good | change, good]}
    batch = decode(msgspec.json.encode(record))
    assert [bad.index for bad in batch.bad] == [1], why
    assert len(batch.rows) == 2


@pytest.mark.parametrize(
    "record", [b"", b"[]", b"{}", b'{"schema":"x.v9","rows":[]}', b"\xff", b'{"schema":1}', b"[" * 5000]
)
def test_what_is_no_batch_is_said_to_be_none(record: bytes) -> None:
    with pytest.raises(BatchError):
        decode(record)


@given(st.binary(max_size=200))
def test_no_bytes_make_decode_do_anything_else(record: bytes) -> None:
    with contextlib.suppress(BatchError):
        decode(record)


observations = st.builds(
    Observation,
    source=st.sampled_from(["op-a", "op-b"]),
    ref=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=128),
    free=st.none() | st.integers(-1_000_000, 1_000_000),
    capacity=st.none() | st.integers(0, 1_000_000),
    observed_at=st.none() | st.integers(0, 4000 * 86_400).map(lambda seconds: NOW - timedelta(seconds=seconds)),
    received_at=st.just(NOW),
)  # fmt: skip


@given(st.lists(observations, max_size=20))
def test_what_keeps_the_contract_arrives_as_it_was_sent(rows: list[Observation]) -> None:
    batch = decode(encode(SCHEMA_OF[Observation], rows))
    assert (batch.rows, batch.bad) == (rows, [])


readings = st.builds(
    StationReading,
    source=st.sampled_from(["river", "lora"]),
    station=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=128),
    element=st.sampled_from(["level_m", "rain_total_mm", "other"]),
    observed_at=st.integers(0, 4000 * 86_400).map(lambda seconds: NOW - timedelta(seconds=seconds)),
    received_at=st.just(NOW),
    value=st.none() | st.floats(-1e9, 1e9),
    quality=st.sampled_from(["good", "missing", "unknown"]),
    flags=st.lists(st.sampled_from(["clock", "backfill", "threshold"]), max_size=3).map(tuple),
    raw_ref=st.none() | st.just("0123456789abcdef"),
    code=st.none() | st.just("F7"),
)  # fmt: skip


@given(st.lists(readings, max_size=20))
def test_readings_become_columns_and_readings_again(rows: list[StationReading]) -> None:
    batch = decode(encode(SCHEMA_OF[StationReading], rows))
    assert (batch.rows, batch.each(), batch.bad) == (columns_of(rows), rows, [])


CHANGES_OF_A_PLACE: list[tuple[str, Any]] = [
    ("station", ""),
    ("station", "x" * 129),
    ("station", "a\x00b"),
    ("element", "level"),
    ("observed_at", "1970-01-01T00:00:00Z"),
    ("observed_at", "2026-11-26T02:30:00Z"),
    ("observed_at", None),
    ("received_at", "2026-11-24T02:30:00"),
    ("value", "10.49"),
    ("value", 1e12),
    ("quality", "excellent"),
    ("flags", 7),
    ("flags", "x" * 65),
]


@pytest.mark.parametrize(("column", "value"), CHANGES_OF_A_PLACE)
def test_a_place_that_breaks_the_contract_is_bad_and_its_neighbours_are_not(column: str, value: Any) -> None:
    record = msgspec.json.decode((RECORDS_OF / "water.readings.v1.json").read_bytes())
    record["rows"][column][1] = value
    batch = decode(msgspec.json.encode(record))
    assert [bad.index for bad in batch.bad] == [1]
    assert batch.places() == [0, 2]
    assert [row.element for row in batch.each()] == ["level_m", "distance_m"]
    assert batch.newest() == datetime(2026, 11, 24, 2, 30, 8, 250_000, tzinfo=UTC)
    assert [row.element for row in batch.without({0}).each()] == ["distance_m"]
    assert msgspec.json.decode(batch.bad[0].raw).keys() == record["rows"].keys()


@pytest.mark.parametrize("change", ["shorter", "missing", "no column", "rows"])
def test_columns_that_are_no_table_are_no_batch(change: str) -> None:
    record = msgspec.json.decode((RECORDS_OF / "water.readings.v1.json").read_bytes())
    columns = record["rows"]
    if change == "shorter":
        columns["value"].pop()
    elif change == "missing":
        del columns["value"]
    else:
        record["rows"] = {**columns, "value": 7.0} if change == "no column" else [columns]
    with pytest.raises(BatchError):
        decode(msgspec.json.encode(record))


def test_a_bad_place_can_be_mended_and_published_again() -> None:
    record = msgspec.json.decode((RECORDS_OF / "water.readings.v1.json").read_bytes())
    record["rows"]["observed_at"][2] = "1970-01-01T00:00:00Z"
    (bad,) = decode(msgspec.json.encode(record)).bad
    mended = bad.raw.replace(b"1970-01-01", b"2026-11-24")
    assert msgspec.json.decode(mended, type=StationReading).flags == ("backfill",)


def test_a_series_stays_in_its_partition_for_ever() -> None:
    key = topics.series_key("op-jst", "P-7")
    assert key == b"op-jst\x1fP-7"
    assert topics.partition_of(key, 4) == zlib.crc32(key) % 4 == 3


def test_every_schema_has_one_topic_but_acts_go_where_their_domain_is_and_ticks_everywhere() -> None:
    for schema in ROW_TYPES:
        homes = [topic.name for topic in topics.TOPICS if schema in topic.schemas]
        many = {SCHEMA_OF[Tick]: len(topics.TOPICS), ACKNOWLEDGED: len(topics.ACT_TOPICS)}
        assert len(homes) == many.get(schema, 1)
    assert all(ACKNOWLEDGED in topic.schemas for topic in topics.ACT_TOPICS.values())
    assert topics.topic_of_domain("water") is topics.WATER_READINGS
    assert topics.topic_of_domain("weather") is topics.SOURCES_HEALTH
    assert all(topic.retention_days >= 7 for topic in topics.TOPICS)
