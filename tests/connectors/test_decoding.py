"""The ground that decoders stand on: documents, rejects, rows that keep the contract."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.decoding import (
    SourceContext,
    Unreadable,
    context_of,
    json_document,
    observation,
    raw_ref,
    reject,
    shown,
)
from connectors.items import clipped
from schemas.parking import Observation
from schemas.settings import Source
from schemas.source import RAW_LIMIT_BYTES, Reject

RECEIVED_AT = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)
SOURCE = SourceContext(source="s", received_at=RECEIVED_AT, zone=ZoneInfo("UTC"))


def test_a_byte_order_mark_is_no_part_of_a_document() -> None:
    assert json_document("\ufeff[1]".encode()) == [1]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not_json"),
        (b"<html>502</html>", "not_json"),
        (b'{"free": NaN}', "not_json"),
        (b'{"free": 1e400}', "not_json"),
        (b'{"free": 1', "not_json"),
        (b'{"free": 1} trailing', "not_json"),
        ('{"name": "Kö"}'.encode("latin-1"), "not_json"),  # a source in Latin-1 must say so, it is not guessed
        (b'"\\ud800"', "not_json"),
        (b"[" * 1_000_000, "too_deep"),
    ],
)
def test_a_document_that_cannot_be_read_says_why(payload: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        json_document(payload)
    assert refused.value.reason == reason


def test_a_reject_holds_its_item() -> None:
    made = reject(SOURCE, {"free": "490 (79%)"}, "bad_number", "free is '490 (79%)'")
    assert (made.raw, made.raw_encoding, made.raw_sha256) == ('{"free":"490 (79%)"}', "utf-8", None)
    assert (made.source, made.topic, made.received_at) == ("s", "parking.observations", RECEIVED_AT)


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", "a\x00b"])
def test_what_is_no_text_travels_as_base64(raw: bytes | str) -> None:
    made = reject(SOURCE, raw, "not_json", "")
    assert made.raw_encoding == "base64"
    assert base64.b64decode(made.raw) == (raw if isinstance(raw, bytes) else raw.encode())


def test_a_long_raw_is_cut_and_named_by_its_hash() -> None:
    raw = ("x" + "车" * 20_000).encode()  # the cut falls into a character: 1 + 3 n is never 32,768
    made = reject(SOURCE, raw, "not_json", "y" * 9_000)
    assert made.raw_encoding == "utf-8"
    assert raw.startswith(made.raw.encode())
    assert RAW_LIMIT_BYTES - 3 <= len(made.raw.encode()) <= RAW_LIMIT_BYTES
    assert made.raw_sha256 == hashlib.sha256(raw).hexdigest()
    assert len(made.detail) == 2_000


def test_what_is_too_deep_to_write_is_still_a_reject() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert reject(SOURCE, value, "bad_item", "").raw == "an array of 1"
    while value:  # taken apart by hand, for the interpreter's own way down is recursive too
        value = value.pop()


def test_a_message_about_a_value_is_short_whatever_it_is() -> None:
    values: list[Any] = ["x" * 10**6, [[1] * 10**5], {"a": 1}, 10**1000, None, 1e308]
    assert max(len(shown(value)) for value in values) <= 82


def test_a_value_that_is_cut_stays_as_wrong_as_it_was() -> None:
    assert clipped("x" * 1000) == "x" * 256
    assert clipped([1, 2]) == []
    assert clipped({"a": 1}) == {}
    assert clipped(0) == 0
    assert clipped(None) is None


def test_an_observation_takes_source_and_time_from_the_context() -> None:
    made = observation(SOURCE, {}, ref="A1", free=0, flags=("sentinel_time",), raw_ref=raw_ref(b"payload"))
    assert made == Observation(
        source="s", received_at=RECEIVED_AT, ref="A1", free=0, flags=("sentinel_time",), raw_ref="239f59ed55e737c7"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"ref": None},
        {"ref": ""},
        {"ref": "a\x00b"},
        {"ref": "a\nb"},
        {"ref": "a" * 129},
        {"ref": "A1", "pool": "a\x7fb"},
        {"ref": "A1", "free": 10**7},
        {"ref": "A1", "mode": "guess"},
        {"ref": "A1", "observed_at": datetime(2014, 12, 31, tzinfo=UTC)},
        {"ref": "A1", "observed_at": datetime(2026, 11, 26, tzinfo=UTC)},
        {"ref": "A1", "observed_at": datetime(2026, 11, 24)},  # noqa: DTZ001 the contract must refuse it
        {"ref": "A1", "raw_text": "a\x00b"},
    ],
)
def test_a_row_that_breaks_the_contract_is_a_reject(fields: dict[str, Any]) -> None:
    made = observation(SOURCE, {"item": 1}, **fields)
    assert isinstance(made, Reject)
    assert (made.reason, made.raw) == ("contract", '{"item":1}')


def test_a_source_table_becomes_a_context() -> None:
    source = Source(name="sg", decoder="hdb", transport="http_poll", time_zone="Asia/Singapore", pools={"K": "hgv"})
    made = context_of(source, RECEIVED_AT, future_limit_s=60, rows_limit=5)
    assert (made.source, made.zone, made.pools) == ("sg", ZoneInfo("Asia/Singapore"), {"K": "hgv"})
    assert (made.future_limit_s, made.rows_limit, made.time_basis) == (60, 5, None)
