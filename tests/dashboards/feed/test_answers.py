"""HTTP semantics of prepared bodies, limits, deltas and histories, without a socket."""

from __future__ import annotations

import contextlib
import gzip
from datetime import UTC, datetime, timedelta

import brotli
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.feed import delta
from dashboards.feed.answers import Freshness, answer
from dashboards.feed.asked import BadRequest, NotThere, dump_name, instant, snapshot_minute, snapshot_name, stay
from dashboards.feed.encodings import chosen, matches, prepared, restored, variants
from dashboards.feed.history import Correction, MinutePoint, buckets, corrected
from dashboards.feed.limits import Limiter, client_key
from dashboards.feed.stream import seq_of
from dashboards.feed.views.status import records
from tests.dashboards.feed.minutes import MINUTE, snapshot

BODY = prepared(b'{"lots": [1, 2, 3]}' * 50, "application/json", MINUTE, "tick")
NOW = Freshness(now=MINUTE + timedelta(seconds=20, milliseconds=300), next_tick=MINUTE + timedelta(minutes=1))
TAG = BODY.variants["identity"].etag
GZIP_TAG = BODY.variants["gzip"].etag


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        (None, "identity"),
        (b"", "identity"),
        (b"gzip", "gzip"),
        (b"gzip, deflate, br", "br"),
        (b"br;q=0.1, gzip;q=0.8", "gzip"),
        (b"gzip;q=0", "identity"),
        (b"*", "br"),
        (b"*;q=0.5, br;q=0", "gzip"),
        (b"identity;q=0, gzip;q=0.1", "gzip"),
        (b"identity, gzip;q=0.5", "identity"),
        (b"GZIP;Q=1.0", "gzip"),
        (b"zstd, deflate", "identity"),
        (b"identity;q=0", None),
        (b"*;q=0", None),
        (b"*;q=0, identity", "identity"),
        (b"gzip;q=nonsense", "identity"),
        (b"x-gzip", "gzip"),
    ],
)
def test_the_encoding_that_a_client_wants(header: bytes | None, encoding: str | None) -> None:
    assert chosen(header) == encoding


@given(st.binary(max_size=60))
def test_any_accept_encoding_is_understood_or_refused(header: bytes) -> None:
    assert chosen(header) in ("br", "gzip", "identity", None)


@given(st.binary(max_size=2000))
def test_encodings_are_the_same_bytes_each_time_and_hold_the_same_body(body: bytes) -> None:
    made = variants(body)
    assert made == variants(body)
    assert gzip.decompress(made["gzip"].body) == brotli.decompress(made["br"].body) == body
    assert len({variant.etag for variant in made.values()}) == 3
    assert restored(made["gzip"], made["br"]) == made


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', '"b", "a"', '"b" , W/"a"', "*", ' "a" '])
def test_if_none_match_compares_weakly(header: str) -> None:
    assert matches(header.encode(), '"a"')


@pytest.mark.parametrize("header", ['"b"', "a", "", '"a-gz"', 'W/"b", "c"'])
def test_another_tag_does_not_match(header: str) -> None:
    assert not matches(header.encode(), '"a"')


def test_a_body_goes_out_with_all_that_caches_need() -> None:
    found = answer("GET", {b"accept-encoding": b"gzip"}, BODY, NOW)
    assert found.status == 200 and gzip.decompress(found.body) == BODY.variants["identity"].body
    assert found.headers["ETag"] == GZIP_TAG
    assert found.headers["Content-Encoding"] == "gzip"
    assert found.headers["Vary"] == "Accept-Encoding"
    assert found.headers["Last-Modified"] == "Tue, 24 Nov 2026 02:31:00 GMT"
    assert found.headers["Cache-Control"] == "public, max-age=39, stale-while-revalidate=15, stale-if-error=300"
    assert found.headers["Access-Control-Allow-Origin"] == "*"
    next_update = datetime.fromisoformat(found.headers["X-Next-Update"])
    assert timedelta(minutes=1) < next_update - MINUTE < timedelta(minutes=1, seconds=11)


def test_head_is_get_without_a_body() -> None:
    got, head = (answer(method, {}, BODY, NOW) for method in ("GET", "HEAD"))
    assert head.headers == got.headers and head.body == b"" != got.body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({b"if-none-match": TAG.encode()}, 304),
        ({b"if-none-match": GZIP_TAG.encode()}, 200),  # the tag of other bytes
        ({b"if-none-match": GZIP_TAG.encode(), b"accept-encoding": b"gzip"}, 304),
        ({b"if-none-match": b'"x"', b"if-modified-since": b"Tue, 24 Nov 2026 02:31:00 GMT"}, 200),
        ({b"if-modified-since": b"Tue, 24 Nov 2026 02:31:00 GMT"}, 304),
        ({b"if-modified-since": b"Tue, 24 Nov 2026 02:30:59 GMT"}, 200),
        ({b"if-modified-since": b"yesterday"}, 200),
        ({b"if-modified-since": b"Tue, 24 Nov 2026 02:31:00"}, 304),
    ],
)
def test_conditions(headers: dict[bytes, bytes], status: int) -> None:
    found = answer("GET", headers, BODY, NOW)
    assert found.status == status
    if status == 304:
        assert found.body == b"" and "ETag" in found.headers and "Content-Length" not in found.headers


def test_after_the_tick_max_age_is_a_second() -> None:
    late = msgspec.structs.replace(NOW, now=MINUTE + timedelta(seconds=64))
    assert "max-age=1," in answer("GET", {}, BODY, late).headers["Cache-Control"]


def test_a_stale_body_is_the_same_body_marked() -> None:
    stale = msgspec.structs.replace(NOW, stale_since=MINUTE + timedelta(minutes=1))
    found, fresh = answer("GET", {}, BODY, stale), answer("GET", {}, BODY, NOW)
    assert found.body == fresh.body and found.headers["ETag"] == fresh.headers["ETag"]
    assert found.headers["X-Data-Stale"] == "true" and "110" in found.headers["Warning"]
    assert "X-Data-Stale" not in fresh.headers


def test_snapshots_never_change() -> None:
    forever = msgspec.structs.replace(BODY, policy="immutable")
    assert answer("GET", {}, forever, NOW).headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_what_is_refused_says_what_to_do() -> None:
    for method, headers, status in (("POST", {}, 405), ("GET", {b"accept-encoding": b"identity;q=0"}, 406)):
        found = answer(method, headers, BODY, NOW)
        problem = msgspec.json.decode(found.body)
        assert found.status == problem["status"] == status
        assert problem["advice"] and found.headers["Content-Type"] == "application/problem+json"


def test_a_client_may_burst_then_waits_for_its_tokens() -> None:
    limiter = Limiter(per_minute=60, burst=3)
    bucket = limiter.bucket("10.0.0.1", 0.0)
    assert [limiter.wait_s(bucket, 0.0) for _ in range(3)] == [0, 0, 0]
    assert limiter.wait_s(bucket, 0.0) == pytest.approx(1.0)
    assert limiter.wait_s(bucket, 1.0) == 0
    assert limiter.wait_s(limiter.bucket("10.0.0.2", 1.0), 1.0) == 0


def test_the_table_of_clients_is_bounded() -> None:
    limiter = Limiter(per_minute=60, burst=3, table_limit=100)
    for number in range(1000):
        limiter.bucket(f"10.0.{number // 250}.{number % 250}", 0.0)
    assert len(limiter.buckets) == 100


def test_addresses_of_one_client_are_one() -> None:
    assert client_key("2001:db8::1") == client_key("2001:db8::ffff:1")
    assert client_key("2001:db8:0:1::1") != client_key("2001:db8:0:2::1")
    assert client_key("::ffff:10.0.0.1") == "10.0.0.1"


def test_a_delta_has_what_says_something_else() -> None:
    before = records(snapshot(24))
    moved = msgspec.structs.replace(before[0], available=1)
    seen_again = msgspec.structs.replace(before[1], age_s=1, observed_at=MINUTE, received_at=MINUTE)
    after = (moved, seen_again, *before[2:])
    assert delta.changed(after, delta.marks(before)) == (moved,)
    assert delta.changed(after, {}) == after


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_delta_applied_gives_the_newer_minute(one: int, two: int) -> None:
    before, after = records(snapshot(12, seed=one)), records(snapshot(12, seed=two))
    known = {record.lot_id: record for record in before}
    known |= {record.lot_id: record for record in delta.changed(after, delta.marks(before))}
    assert delta.marks(known.values()) == delta.marks(after)


def test_a_client_may_hold_any_minute_of_its_sequence_number() -> None:
    first = records(snapshot(3))
    second = (msgspec.structs.replace(first[0], ttf_min=1), *first[1:])
    shared = delta.merged(delta.marks(first), delta.marks(second))
    for now in (first, second):
        assert delta.changed(now, shared) == now[:1]


def point(minute: int, available: int | None, observed: int | None = None) -> MinutePoint:
    at = MINUTE + timedelta(minutes=minute)
    return MinutePoint(
        at=at,
        status="open",
        available=available,
        published_available=available,
        capacity=50,
        occupied=None if available is None else 50 - available,
        freshness="fresh",
        observed_at=at - timedelta(seconds=30 if observed is None else observed),
        reason=None if available is not None else "expired",
        revision=1,
        correction=None,
    )


def test_a_correction_shows_beside_what_was_published() -> None:
    points = [point(0, 10), point(1, 11), point(2, 12)]
    observed = [each.observed_at for each in points]
    assert observed[0] is not None and observed[1] is not None
    found = corrected(
        points,
        [
            Correction(observed[0], MINUTE, "correct", 30),
            Correction(observed[1], MINUTE, "correct", 31),
            Correction(observed[1], MINUTE + timedelta(hours=1), "void", None),
        ],
    )
    assert [(each.available, each.published_available, each.correction) for each in found] == [
        (30, 10, "correct"), (None, 11, "void"), (12, 12, None),
    ]  # fmt: skip
    assert found[0].occupied == 20 and found[1].reason == "voided"


def test_buckets_tell_unknown_from_zero() -> None:
    points = [point(0, 0), point(1, None), point(2, 4), point(14, None), point(15, None)]
    first, second = buckets(points, timedelta(minutes=15))
    assert first.at == MINUTE - timedelta(minutes=1)
    assert (first.minutes, first.minutes_known, first.available_min, first.available_mean) == (3, 2, 0, 2.0)
    assert (second.minutes, second.available_mean, second.available_last) == (2, None, None)


@pytest.mark.parametrize(
    "text",
    ["2026-11-24T18:40+08:00", "2026-11-24T18:40 08:00", "2026-11-24T10:40:00Z", "2026-11-24T18:40:00.000+08:00"],
)
def test_an_instant_as_clients_write_it(text: str) -> None:
    assert instant("eta", text) == datetime(2026, 11, 24, 10, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-24", "2026-11-24T18:40", "1970-01-01T00:00Z", "9999-12-31T23:59Z"]
)
def test_an_instant_that_is_none(text: str) -> None:
    with pytest.raises(BadRequest, match="eta"):
        instant("eta", text)


@given(st.text(max_size=40))
def test_any_text_is_an_instant_or_a_bad_request(text: str) -> None:
    for read in (lambda: instant("eta", text), lambda: stay(text)):
        with contextlib.suppress(BadRequest):
            read()


def test_a_stay() -> None:
    assert stay("PT2H") == stay("pt120m") == timedelta(hours=2)
    for text in ("2h", "-PT1H", "P9D", ""):
        with pytest.raises(BadRequest):
            stay(text)


def test_names_of_snapshots_and_dumps() -> None:
    assert snapshot_minute("2026-11-24T1031+0800.json") == MINUTE
    assert snapshot_minute("2026-11-24T1031 0800.json") == MINUTE
    assert snapshot_minute("2026-11-24T0231Z.json") == MINUTE
    assert snapshot_name(MINUTE) == "2026-11-24T0231+0000.json"
    assert dump_name("2026-11-23.csv").kind == "csv"
    for name in ("2026-13-24T1031+0800.json", "x.json", "2026-11-24T1031.json", "0001-01-01T0000+0800.json"):
        with pytest.raises(NotThere):
            snapshot_minute(name)
    for name in ("2026-02-30.csv", "2026-11-23.zip", "../2026-11-23.csv"):
        with pytest.raises(NotThere):
            dump_name(name)


def test_the_id_of_an_event() -> None:
    assert seq_of("1042/2026-11-24T10:31:00+08:00") == 1042
    assert [seq_of(text) for text in (None, "", "x/y", "-1/z", "²/z")] == [None] * 5
