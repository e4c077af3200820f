"""A vendor's message on a real socket: believed, safe, answered in the vendor's words; or turned away with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from connectors.transports.delivery import Delivery
from schemas.settings import Connectors
from tests.connectors.clocks import until
from tests.connectors.gates import SECRET, Gate, message, run


def test_the_answer_comes_when_the_rows_are_safe_and_not_before() -> None:
    async def work(at: Gate) -> None:
        posting = at.posting(message())
        delivery = await anext(at.coming)
        assert at.clock.held == [delivery.received_at]
        assert not posting.done()
        await delivery.acknowledge()
        answer = await posting
        assert answer.status_code == 200
        assert answer.json() == {"code": 200, "msg": "success"}
        assert at.clock.held == []
        assert at.health.last_success_at == delivery.received_at

    run(work)


def test_without_kafka_it_is_503_and_the_second_try_keeps_the_first_received_at() -> None:
    async def work(at: Gate) -> None:
        body = message()
        posting = at.posting(body)
        first = await anext(at.coming)
        await first.refuse("Kafka has confirmed nothing for 7 s")
        answer = await posting
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["code"] == 500
        posting = at.posting(body)
        second = await anext(at.coming)
        assert second.received_at == first.received_at
        await second.acknowledge()
        assert (await posting).status_code == 200

    run(work)


def test_a_repetition_of_what_is_safe_is_answered_and_not_published_again() -> None:
    async def work(at: Gate) -> None:
        body = message()
        posting = at.posting(body)
        await (await anext(at.coming)).acknowledge()
        await posting
        again = await at.post(body)  # nobody takes a delivery: it would hang
        assert again.status_code == 200
        assert again.json() == {"code": 200, "msg": "success"}

    run(work)


def test_a_nonce_that_comes_again_with_other_content_is_no_repetition() -> None:
    async def work(at: Gate) -> None:
        for free in (7, 8):
            posting = at.posting(message("the same", free))
            delivery = await anext(at.coming)
            await delivery.acknowledge()
            assert (await posting).status_code == 200

    run(work)


def test_two_copies_at_once_are_one_delivery() -> None:
    async def work(at: Gate) -> None:
        body = message()
        postings = [at.posting(body) for _ in range(5)]
        delivery = await anext(at.coming)
        await until(lambda: at.health.polls == 5)
        await delivery.acknowledge()
        assert [(await posting).status_code for posting in postings] == [200] * 5

    run(work)


def test_a_wrong_signature_is_401_and_a_reject_with_its_reason() -> None:
    async def work(at: Gate) -> None:
        answer = await at.post(message(secret="guessed").replace(b'"AppId":"a"', '"AppId":"粤B12345"'.encode()))
        assert answer.status_code == 401
        assert answer.json()["msg"] == "bad_signature"
        (reject,) = at.turned_away
        assert reject.reason == "bad_signature"
        assert "粤B12345" not in reject.raw

    run(work)


def test_a_flood_of_wrong_signatures_is_counted_and_not_told_one_by_one() -> None:
    async def work(at: Gate) -> None:
        body = message(secret="guessed")
        for _ in range(10):
            assert (await at.post(body)).status_code == 401
        assert len(at.turned_away) == 3
        assert at.health.failures == 10
        assert at.health.rejects == 7

    run(work, Connectors(push_rejects_per_minute=3, stop_timeout_s=1.0))


def test_an_old_message_is_turned_away() -> None:
    async def work(at: Gate) -> None:
        answer = await at.post(message(at=datetime(2026, 1, 1, tzinfo=UTC)))
        assert answer.status_code == 401
        assert answer.json()["msg"] == "stale_timestamp"

    run(work)


def test_a_body_that_says_it_is_too_long_is_not_read() -> None:
    async def work(at: Gate) -> None:
        said = await at.raw(b"POST /push/garages HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 413 ")

    run(work)


def test_a_body_that_never_ends_is_cut_off() -> None:
    async def work(at: Gate) -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(1600):
                sent += 65536
                yield b"x" * 65536

        with contextlib.suppress(httpx.HTTPError):
            answer = await at.client.post(at.url, content=endless())
            assert answer.status_code == 413
        assert sent < 20_000_000

    run(work)


def test_a_bomb_is_no_larger_than_the_limit() -> None:
    async def work(at: Gate) -> None:
        answer = await at.post(gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")
        assert answer.status_code == 413
        posting = at.posting(gzip.compress(body := message()), Content_Encoding="gzip")
        delivery = await anext(at.coming)
        assert delivery.payload == body
        await delivery.acknowledge()
        assert (await posting).status_code == 200

    run(work)


def test_slow_clients_are_cut_off_and_the_others_are_served() -> None:
    async def work(at: Gate) -> None:
        slow_head = asyncio.create_task(at.raw(b"POST /push/garages HTT"))
        silent = asyncio.create_task(at.raw(b""))
        slow_body = asyncio.create_task(
            at.raw(b"POST /push/garages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        )
        posting = at.posting(message())
        await (await anext(at.coming)).acknowledge()
        assert (await posting).status_code == 200
        assert await slow_head == b""
        assert await silent == b""
        assert (await slow_body).startswith(b"HTTP/1.1 408 ")

    run(work, Connectors(push_head_timeout_s=0.3, push_body_timeout_s=0.3, stop_timeout_s=1.0))


def test_a_second_request_on_a_connection_may_not_dawdle_either() -> None:
    async def work(at: Gate) -> None:
        said = await at.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nPOST /push/gar")
        assert said.startswith(b"HTTP/1.1 200 ")

    run(work, Connectors(push_head_timeout_s=0.3, stop_timeout_s=1.0))


@pytest.mark.parametrize("length", [b"-1", b"ten", b"1, 2", b"0x10"])
def test_a_broken_content_length_is_400(length: bytes) -> None:
    async def work(at: Gate) -> None:
        said = await at.raw(b"POST /push/garages HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n{}")
        assert said.startswith(b"HTTP/1.1 400 ")

    run(work)


def test_a_client_that_goes_away_in_its_body_leaves_nothing() -> None:
    async def work(at: Gate) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(b"POST /push/garages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        posting = at.posting(body := message())
        delivery = await anext(at.coming)
        assert delivery.payload == body
        await delivery.acknowledge()
        await posting

    run(work)


def test_more_than_can_be_done_at_once_are_asked_to_come_again() -> None:
    async def work(at: Gate) -> None:
        first, second = at.posting(message("n1")), at.posting(message("n2"))
        waiting: list[Delivery] = [await anext(at.coming), await anext(at.coming)]
        third = await at.post(message("n3"))
        assert third.status_code == 503
        assert third.headers["retry-after"] == "1"
        for delivery in waiting:
            await delivery.acknowledge()
        assert {(await first).status_code, (await second).status_code} == {200}

    run(work, Connectors(push_concurrency=2, stop_timeout_s=1.0))


def test_a_key_in_a_header_is_enough_where_the_vendor_signs_nothing() -> None:
    async def work(at: Gate) -> None:
        assert (await at.post(b"{}")).status_code == 401
        assert (await at.post(b"{}", X_Key="guessed")).status_code == 401
        posting = at.posting(b"{}", X_Key=SECRET)
        await (await anext(at.coming)).acknowledge()
        assert (await posting).status_code == 200
        assert [one.reason for one in at.turned_away] == ["missing_signature", "bad_signature"]

    run(work, auth="header", auth_header="X-Key")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/push/nobody", 404), ("GET", "/push/garages", 405), ("GET", "/", 404), ("GET", "/health", 200)],
)
def test_other_paths(method: str, path: str, status: int) -> None:
    async def work(at: Gate) -> None:
        answer = await at.client.request(method, f"http://127.0.0.1:{at.port}{path}")
        assert answer.status_code == status

    run(work)
