"""How does one record get to a broker? A KafkaProducer in threads of its own, replaced when it is broken."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from kafka import KafkaProducer

from schemas.settings import Publisher

log = logging.getLogger(__name__)

BOOTSTRAP_TIMEOUT_S = 3.0
MAX_REQUEST_BYTES = 4 * 1024 * 1024


class SendFailed(Exception):
    """The record is not confirmed. It may be in the log all the same: sent again, it is a repetition there."""


def require_native_codecs() -> None:
    """Stop a connector that would run 24 times slower (no crc32c) or fail at its first record (no lz4)."""
    for module in ("crc32c", "lz4.frame"):
        try:
            import_module(module)
        except ImportError as error:
            raise RuntimeError(f"the package {module.split('.')[0]} is missing; run ./citysense doctor") from error


class Producer:
    """Sends records one by one per partition; the caller keeps the order by waiting for each.

    A producer that failed a record and had no success meanwhile is closed and made anew, so that no state of the
    client library (a lost producer id, a dead bootstrap) outlives the fault that caused it.
    """

    def __init__(self, bootstrap: str, settings: Publisher, client_id: str) -> None:
        require_native_codecs()
        self._servers = [server.strip() for server in bootstrap.split(",")]
        self._settings = settings
        self._client_id = client_id
        self._client: Any = None
        self._opening = asyncio.Lock()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="kafka-send")
        self._waiting: dict[int, float] = {}  # outstanding records: when they were handed over
        self._failing_since: float | None = None
        self._last_success = time.monotonic()
        self._next = 0

    def stalled_s(self) -> float:
        """For how long has a record waited while no other was confirmed? 0 when all is well."""
        since = min(self._waiting.values(), default=None)
        if self._failing_since is not None:
            since = self._failing_since if since is None else min(since, self._failing_since)
        return 0.0 if since is None else time.monotonic() - max(since, self._last_success)

    async def send(self, topic: str, partition: int, record: bytes) -> None:
        """Returns when the broker has confirmed the record (acks=all). Raises SendFailed."""
        number, self._next = self._next, self._next + 1
        began = self._waiting[number] = time.monotonic()
        client: Any = None
        try:
            client = await self._opened()
            await self._sent(client, topic, partition, record)
            self._last_success = time.monotonic()
            self._failing_since = None
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever the client library raises, the record is not confirmed
            if self._failing_since is None:
                self._failing_since = began
            if client is not None and client is self._client and self._last_success < began:
                self._client = None
                self._threads.submit(_close, client, 0.0)
            raise SendFailed(f"{type(error).__name__}: {error}") from error
        finally:
            del self._waiting[number]

    async def _sent(self, client: Any, topic: str, partition: int, record: bytes) -> None:
        loop = asyncio.get_running_loop()
        confirmed: asyncio.Future[None] = loop.create_future()

        def resolve(error: BaseException | None) -> None:
            if not confirmed.done():
                confirmed.set_exception(error) if error is not None else confirmed.set_result(None)

        def heard(error: BaseException | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(resolve, error)

        # in a thread: the library blocks here for as long as it has no metadata of the topic
        sent = await loop.run_in_executor(self._threads, lambda: client.send(topic, value=record, partition=partition))
        sent.add_callback(lambda _: heard(None))
        sent.add_errback(heard)
        await confirmed

    async def _opened(self) -> Any:
        async with self._opening:
            if self._client is None:
                loop = asyncio.get_running_loop()
                self._client = await loop.run_in_executor(self._threads, self._open)
            return self._client

    def _open(self) -> Any:
        delivery_ms = self._settings.delivery_timeout_ms
        try:
            return KafkaProducer(
                bootstrap_servers=self._servers,
                client_id=self._client_id,
                acks="all",
                enable_idempotence=True,
                max_in_flight_requests_per_connection=5,
                compression_type="lz4",
                linger_ms=0,  # rows are grouped before they get here
                batch_size=512 * 1024,
                max_request_size=MAX_REQUEST_BYTES,
                delivery_timeout_ms=delivery_ms,
                request_timeout_ms=max(1_000, min(10_000, delivery_ms // 2)),
                max_block_ms=2_000,
                reconnect_backoff_max_ms=1_000,
                bootstrap_timeout_ms=int(BOOTSTRAP_TIMEOUT_S * 1_000),
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        except Exception:
            gc.collect()  # a client that failed to start is a cycle that holds sockets
            raise

    async def close(self, timeout_s: float) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, _close, client, timeout_s)
        self._threads.shutdown(wait=False, cancel_futures=True)


def _close(client: Any, timeout_s: float) -> None:
    try:
        client.close(timeout=timeout_s)
    except Exception as error:  # a flush that ran out of time: the threads must end all the same
        log.info("kafka producer closed with %s", error)
        with contextlib.suppress(Exception):
            client._sender.force_close()
            client._closed = True
