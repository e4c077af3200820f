"""A foreign server may send anything: what comes of it is a document or a reason, within limits."""

from __future__ import annotations

import asyncio
import gzip
import resource
import threading
import zlib

import httpx
import pytest

from connectors.transports import fetch
from connectors.transports.addresses import is_public
from connectors.transports.fetch import NO_CURSOR, Client, Cursor, Fetched, FetchFailed, Inflater
from schemas.settings import Connectors
from tests.connectors.servers import Asked, Feed

TORN = gzip.compress(b"x" * 99, mtime=0)[:20]
LIMITS = Connectors(
    body_limit_bytes=1_000_000,
    decompressed_limit_bytes=2_000_000,
    total_timeout_s=5.0,
    read_timeout_s=2.0,
    connect_timeout_s=2.0,
)


def get(
    url: str, limits: Connectors = LIMITS, cursor: Cursor = NO_CURSOR, private: bool = True, **headers: str
) -> Fetched:
    async def fetching() -> Fetched:
        client = Client(limits)
        try:
            return await client.get(httpx.URL(url), headers, cursor, allow_private=private)
        finally:
            await client.close()

    return asyncio.run(fetching())


def test_a_document_comes_with_its_cursor() -> None:
    with Feed(lambda asked: asked.answer(b"{}", ETag='"1"', Content_Type="application/json")).serving() as feed:
        fetched = get(feed.url + "/lots?x=1")
    assert fetched == Fetched(b"{}", Cursor('"1"'), "application/json")
    assert feed.asked[0].path == "/lots?x=1"
    assert feed.asked[0].headers["host"] == f"127.0.0.1:{feed.port}"


def test_a_connection_is_kept_for_its_name_and_not_for_another_at_the_same_address() -> None:
    async def fetching(port: int) -> None:
        client = Client(LIMITS)
        for name in ("127.0.0.1", "localhost", "127.0.0.1", "localhost"):
            await client.get(httpx.URL(f"http://{name}:{port}/"), allow_private=True)
        await client.close()

    with Feed(lambda asked: asked.answer(b"{}")).serving() as feed:
        asyncio.run(fetching(feed.port))
    first, second, first_again, second_again = [asked.connection for asked in feed.asked]
    assert (first, second) == (first_again, second_again) and first != second


def test_what_is_not_modified_has_no_body() -> None:
    def answer(asked: Asked) -> None:
        asked.raw(b"HTTP/1.1 304 Not Modified\r\n\r\n") if asked.headers.get("if-none-match") == '"1"' else None

    with Feed(answer).serving() as feed:
        assert get(feed.url, cursor=Cursor('"1"')).body is None


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_is_undone_also_in_several_members(members: int) -> None:
    body = b"".join(gzip.compress(b"ab" * 100, mtime=0) for _ in range(members))
    with Feed(lambda asked: asked.answer(body, Content_Encoding="gzip")).serving() as feed:
        assert get(feed.url).body == b"ab" * 100 * members


def test_a_gzip_bomb_stops_at_the_limit_and_memory_stays_flat() -> None:
    squeeze = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeeze.compress(b"\0" * 1_000_000) for _ in range(600)) + squeeze.flush()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        Feed(lambda asked: asked.answer(bomb, Content_Encoding="gzip")).serving() as feed,
        pytest.raises(FetchFailed, match="2000000 bytes when decompressed"),
    ):
        get(feed.url)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


def test_a_body_of_100_mb_is_not_read_whole() -> None:
    sent = []

    def answer(asked: Asked) -> None:
        asked.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            asked.raw(b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n")
            sent.append(1)

    with Feed(answer).serving() as feed, pytest.raises(FetchFailed, match="more than 1000000 bytes"):
        get(feed.url)
    assert len(sent) < 20


def test_a_stated_length_beyond_the_limit_is_enough() -> None:
    def answer(asked: Asked) -> None:
        asked.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")

    with Feed(answer).serving() as feed, pytest.raises(FetchFailed, match="the body has 104857600 bytes"):
        get(feed.url)


@pytest.mark.parametrize(
    ("head", "body", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"short", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", b"x", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n", b"x", "not asked for"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n", b"nope", "not gzip"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n", TORN, "middle"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", b"", "HTTP 500"),
        (b"SSH-2.0-OpenSSH_9\r\n", b"", "RemoteProtocolError"),
    ],
)  # fmt: skip
def test_a_broken_answer_is_no_document(head: bytes, body: bytes, reason: str) -> None:
    def answer(asked: Asked) -> None:
        asked.raw(head + body)
        asked.hang_up()

    with Feed(answer).serving() as feed, pytest.raises(FetchFailed, match=reason):
        get(feed.url)


def test_a_server_that_drips_is_left() -> None:
    stop = threading.Event()

    def answer(asked: Asked) -> None:
        asked.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.05):
            asked.raw(b"x")

    limits = Connectors(total_timeout_s=0.5, read_timeout_s=2.0)
    with Feed(answer).serving() as feed:
        with pytest.raises(FetchFailed, match=r"no whole answer within 0\.5 s"):
            get(feed.url, limits)
        stop.set()


def test_retry_after_is_heard() -> None:
    with (
        Feed(lambda asked: asked.answer(b"", 429, Retry_After="17")).serving() as feed,
        pytest.raises(FetchFailed) as failed,
    ):
        get(feed.url)
    assert failed.value.retry_after_s == 17.0


def test_redirects_are_followed_a_few_times_and_take_no_secret_to_another_host() -> None:
    def answer(asked: Asked) -> None:
        if asked.path == "/there":
            asked.answer(b"found")
        elif asked.path == "/loop":
            asked.answer(b"", 302, Location="/loop")
        else:
            asked.answer(b"", 301, Location=f"http://localhost:{feed.port}/there")

    with Feed(answer).serving() as feed:
        assert get(feed.url + "/here", AccountKey="s3cret").body == b"found"
        assert feed.asked[0].headers["accountkey"] == "s3cret"
        assert "accountkey" not in feed.asked[1].headers
        with pytest.raises(FetchFailed, match="more than 3 redirects"):
            get(feed.url + "/loop")


def test_a_redirect_to_a_private_address_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "is_public", lambda address: address == "127.0.0.1")
    with Feed(lambda asked: asked.answer(b"", 302, Location="http://127.0.0.2:1/")).serving() as feed:
        with pytest.raises(FetchFailed, match=r"127\.0\.0\.2, no public address"):
            get(feed.url, private=False)
        assert len(feed.asked) == 1


@pytest.mark.parametrize("scheme", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/"])
def test_a_redirect_to_another_protocol_is_not_followed(scheme: str) -> None:
    with (
        Feed(lambda asked: asked.answer(b"", 302, Location=scheme)).serving() as feed,
        pytest.raises(FetchFailed, match="is not followed"),
    ):
        get(feed.url)


@pytest.mark.parametrize("url", ["http://localhost:1/", "http://127.0.0.1:1/", "http://[::1]:1/", "http://0/"])
def test_a_private_address_must_be_allowed(url: str) -> None:
    with pytest.raises(FetchFailed, match="no public address"):
        get(url, private=False)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_plain_body_has_the_same_limit() -> None:
    inflater = Inflater("", 10)
    assert inflater.feed(b"12345") == [b"12345"]
    with pytest.raises(FetchFailed, match="more than 10 bytes"):
        inflater.feed(b"678901")


def test_a_host_is_asked_by_few_at_a_time() -> None:
    now, most, lock = [0], [0], threading.Lock()
    release = threading.Event()

    def answer(asked: Asked) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == 2:
                release.set()
        release.wait(5)
        with lock:
            now[0] -= 1
        asked.answer(b"x")

    async def many(url: str) -> None:
        client = Client(Connectors(per_host_concurrency=2))
        await asyncio.gather(*(client.get(httpx.URL(url), allow_private=True) for _ in range(12)))
        await client.close()

    with Feed(answer).serving() as feed:
        asyncio.run(many(feed.url))
    assert most[0] == 2
    assert len(feed.asked) == 12
