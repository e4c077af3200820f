"""Times: every way in which sources write one, and none that they did not mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from connectors.decoding import SourceContext, Unreadable
from connectors.times import checked, instant, observed

BERLIN = ZoneInfo("Europe/Berlin")
SYDNEY = ZoneInfo("Australia/Sydney")
SHANGHAI = ZoneInfo("Asia/Shanghai")
RECEIVED_AT = datetime(2026, 11, 24, 2, 31, tzinfo=UTC)
SOURCE = SourceContext(source="s", received_at=RECEIVED_AT, zone=SHANGHAI)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "form", "zone", "at"),
    [
        ("2026-11-24T10:29:51", "iso", SHANGHAI, "2026-11-24T02:29:51"),
        ("2026-11-24 10:29:51", "iso", SHANGHAI, "2026-11-24T02:29:51"),
        ("2026-11-24 8:05", "iso", SHANGHAI, "2026-11-24T00:05:00"),  # not padded, no seconds
        ("2026-11-24T02:29:51Z", "iso", SHANGHAI, "2026-11-24T02:29:51"),  # what it says goes before the zone
        ("2026-11-24T10:29:51+08:00", "iso", BERLIN, "2026-11-24T02:29:51"),
        ("2026-11-23T21:29:51-0500", "iso", BERLIN, "2026-11-24T02:29:51"),
        ("2026-11-24T02:29:51.123456789Z", "iso", BERLIN, "2026-11-24T02:29:51.123456"),  # NDW: nanoseconds
        ("2026-11-24T02:29:51.1234567Z", "iso", BERLIN, "2026-11-24T02:29:51.123456"),  # VRS: seven digits
        ("2026-11-24T02:29:51,5Z", "iso", BERLIN, "2026-11-24T02:29:51.5"),
        ("2026-06-24 04:29:51", "iso", BERLIN, "2026-06-24T02:29:51"),  # summer time
        (1795487371, "unix_s", BERLIN, "2026-11-24T02:29:31"),
        ("1795487371", "unix_s", BERLIN, "2026-11-24T02:29:31"),
        (1795487371.0, "unix_s", BERLIN, "2026-11-24T02:29:31"),
        ("1795487371123", "unix_ms", BERLIN, "2026-11-24T02:29:31.123"),  # ymzh: a string of 13 digits
        (0, "unix_s", BERLIN, "1970-01-01T00:00:00"),
        ("0", "s_since_2000", SYDNEY, "1999-12-31T13:00:00"),
    ],
)
def test_a_time_is_read(value: Any, form: str, zone: ZoneInfo, at: str) -> None:
    assert instant(value, form, zone) == utc(at)


@pytest.mark.parametrize("value", [None, ""])
def test_no_time_is_none(value: Any) -> None:
    assert instant(value, "iso", BERLIN) is None


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("yesterday", "iso"),
        ("24.11.2026 10:29", "iso"),
        ("2026-13-01T00:00:00Z", "iso"),
        ("2026-11-24", "iso"),
        ("0000-01-01T00:00:00Z", "iso"),
        ("9999-12-31T23:59:59-23:59", "iso"),
        ("2026-11-24T10:29:51Z" + " " * 1_000_000, "iso"),
        (20261124, "iso"),
        ("1.5", "unix_s"),
        (1.5, "unix_s"),
        (True, "unix_s"),
        (10**30, "unix_s"),
        (1e300, "unix_s"),
        (float("nan"), "unix_ms"),
        ("9999999999999999", "unix_s"),
        ([1], "unix_s"),
        ({"at": 1}, "iso"),
    ],
)
def test_what_is_no_time_is_refused(value: Any, form: str) -> None:
    with pytest.raises(Unreadable) as refused:
        instant(value, form, BERLIN)
    assert refused.value.reason == "bad_time"
    assert len(refused.value.detail) < 120


def test_a_sentinel_is_no_time_but_is_noticed() -> None:
    assert checked(utc("1970-01-01T00:00:00"), SOURCE) == (None, ("sentinel_time",))
    assert checked(utc("2015-01-01T00:00:00"), SOURCE) == (utc("2015-01-01T00:00:00"), ())


def test_two_minutes_ahead_are_allowed_and_no_more() -> None:
    assert checked(utc("2026-11-24T02:33:00"), SOURCE) == (utc("2026-11-24T02:33:00"), ())
    with pytest.raises(Unreadable, match="future_time"):
        checked(utc("2026-11-24T02:33:01"), SOURCE)


def test_the_basis_is_the_formats_unless_the_source_says_otherwise() -> None:
    text = "2026-11-24 10:30:00"
    assert observed(text, SOURCE, basis="feed") == (utc("2026-11-24T02:30:00"), "feed", ())
    lot = msgspec.structs.replace(SOURCE, time_basis="lot")
    assert observed(text, lot, basis="feed") == (utc("2026-11-24T02:30:00"), "lot", ())
    ingest = msgspec.structs.replace(SOURCE, time_basis="ingest")
    assert observed(text, ingest) == (None, "ingest", ())


def test_without_a_time_the_basis_is_ingest() -> None:
    assert observed(None, SOURCE) == (None, "ingest", ())
    assert observed("1970-01-01T00:00:00Z", SOURCE) == (None, "lot", ("sentinel_time",))


@pytest.mark.parametrize(
    ("received_at", "at"),
    [
        ("2026-10-25T00:21:00", "2026-10-25T00:20:00"),  # it can only be the first 02:20
        ("2026-10-25T01:21:00", "2026-10-25T01:20:00"),  # the second has just been
    ],
)
def test_the_hour_that_summer_time_ends_twice(received_at: str, at: str) -> None:
    source = SourceContext(source="s", received_at=utc(received_at), zone=BERLIN)
    assert observed("2026-10-25 02:20:00", source) == (utc(at), "lot", ("ambiguous_time",))
    assert observed("2026-10-25T02:20:00+02:00", source)[2] == ()


def test_the_hour_that_summer_time_leaves_out_is_not_ambiguous() -> None:
    source = SourceContext(source="s", received_at=utc("2026-03-29T03:00:00"), zone=BERLIN)
    assert observed("2026-03-29 02:30:00", source) == (utc("2026-03-29T01:30:00"), "lot", ())
