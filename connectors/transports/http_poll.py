"""When is a polled source asked, and for what? At its minute: one document, its pages, or one document per lot.

received_at is the planned tick when the answer comes within `poll_hold_s` of it, for so long the clock waits
(connectors/kafka.py). A later answer is received when it comes: a slow server must not hold up the clock of the city,
and what comes after a minute was computed belongs to the next.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import msgspec

from connectors.health import SourceHealth
from connectors.transports.delivery import Delivery, Holds
from connectors.transports.fetch import NO_CURSOR, Client, Cursor, FetchFailed
from schemas.settings import Source

log = logging.getLogger(__name__)

WAITING = 2  # answers that wait for the ingest; then the next minute is not asked for
PAGES_LIMIT = 200
BACKOFF_LIMIT_S = 300.0

_arrays = msgspec.json.Decoder(list[msgspec.Raw])
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])


def deliveries(
    source: Source, headers: Mapping[str, str], client: Client, holds: Holds, health: SourceHealth
) -> AsyncIterator[Delivery]:
    return _Poll(source, headers, client, holds, health).deliveries()


class _Poll:
    def __init__(
        self, source: Source, headers: Mapping[str, str], client: Client, holds: Holds, health: SourceHealth
    ) -> None:
        self._source = source
        self._headers = {**source.headers, **headers}
        self._client = client
        self._holds = holds
        self._health = health
        self._cursors: dict[httpx.URL, Cursor] = {}
        self._failures: dict[str, int] = {}  # in a row, of each lot that is asked for by itself
        self._skip_until: dict[str, datetime] = {}
        self._answers: asyncio.Queue[Delivery] = asyncio.Queue(WAITING)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        polling = asyncio.create_task(self._forever())
        waiting: asyncio.Task[Delivery] | None = None
        try:
            while True:
                waiting = asyncio.create_task(self._answers.get())
                await asyncio.wait({waiting, polling}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    polling.result()  # polling ends only by an error: let it out
                yield waiting.result()
        finally:
            for task in (polling, waiting):
                if task is not None:
                    task.cancel()
            await asyncio.gather(polling, return_exceptions=True)

    async def _forever(self) -> None:
        planned, failures = _now(), 0  # once at the start, then at the source's minutes
        while True:
            retry_after_s: float | None = None
            try:
                await (self._round_of_lots(planned) if self._source.refs else self._pages(planned))
                failures = 0
            except FetchFailed as error:
                failures += 1
                retry_after_s = error.retry_after_s
                self._health.failed(str(error))
                log.warning("%s: %s (%d in a row)", self._source.name, error, failures)
            planned = next_poll(_now(), self._source, failures, retry_after_s, random.random())  # noqa: S311 jitter
            await _sleep_until(planned)

    async def _pages(self, planned: datetime) -> None:
        url = httpx.URL(self._source.url).copy_merge_params(self._source.params)
        if not self._source.page_param:
            await self._ask(url, planned, "")
            return
        last: bytes | None = None
        for page in range(PAGES_LIMIT):
            at = {self._source.page_param: str(page * self._source.page_size)}
            body = await self._ask(url.copy_merge_params(at), planned, f"page {page}")
            # a page that is not new says nothing of its length: the next one may be new
            if body is not None and (body == last or page_items(body) < self._source.page_size):
                return
            if body is None and page and last is None:
                return  # nothing is new at all
            last = body
        log.warning("%s: more than %d pages", self._source.name, PAGES_LIMIT)

    async def _round_of_lots(self, planned: datetime) -> None:
        """One request per lot, spread over the cadence, no faster than requests_per_s."""
        source = self._source
        interval_s = max(1.0 / source.requests_per_s, source.cadence_s / len(source.refs))
        errors: list[FetchFailed] = []
        async with asyncio.TaskGroup() as group:
            for index, ref in enumerate(source.refs):
                slot = planned + timedelta(seconds=index * interval_s)
                await _sleep_until(slot)
                if slot >= self._skip_until.get(ref, slot):
                    group.create_task(self._lot(ref, slot, errors))
        if len(errors) == len(source.refs):
            raise errors[-1]

    async def _lot(self, ref: str, slot: datetime, errors: list[FetchFailed]) -> None:
        url = httpx.URL(self._source.url.replace("{ref}", quote(ref, safe="")))
        try:
            await self._ask(url.copy_merge_params(self._source.params), slot, ref)
            self._failures.pop(ref, None)
            self._skip_until.pop(ref, None)
        except FetchFailed as error:
            errors.append(error)
            failures = self._failures[ref] = self._failures.get(ref, 0) + 1
            pause_s = backoff_s(self._source.cadence_s, failures, random.random())  # noqa: S311 jitter
            self._skip_until[ref] = slot + timedelta(seconds=max(pause_s, error.retry_after_s or 0.0))
            if len(errors) < len(self._source.refs):  # when all fail, the round says so
                self._health.failed(f"{ref}: {error}")

    async def _ask(self, url: httpx.URL, planned: datetime, label: str) -> bytes | None:
        """One document into the line of answers; its bytes, or None when it is not new. Raises FetchFailed."""
        hold_s = self._client.limits.poll_hold_s - (_now() - planned).total_seconds()
        release = self._holds.hold(planned) if hold_s > 0 else _nothing
        timer = asyncio.get_running_loop().call_later(max(hold_s, 0.0), release)
        self._health.polled()
        try:
            fetched = await self._client.get(
                url,
                self._headers,
                self._cursors.get(url, NO_CURSOR),
                allow_private=self._source.allow_private_address,
            )
            now = _now()
            if fetched.body is None:
                self._health.succeeded(now)
                return None
            in_time = (now - planned).total_seconds() <= self._client.limits.poll_hold_s
            received_at = planned if in_time and planned <= now else now
            let_go = self._holds.hold(received_at)
        finally:
            timer.cancel()
            release()

        async def acknowledge() -> None:
            let_go()
            self._cursors[url] = fetched.cursor
            self._health.succeeded(now)

        async def refuse(reason: str) -> None:
            let_go()
            self._health.failed(reason)

        meta = {"url": str(url), "label": label, "content_type": fetched.content_type}
        await self._answers.put(
            Delivery(payload=fetched.body, received_at=received_at, acknowledge=acknowledge, refuse=refuse, meta=meta)
        )
        return fetched.body


def next_poll(
    now: datetime, source: Source, failures: int = 0, retry_after_s: float | None = None, chance: float = 1.0
) -> datetime:
    """The next minute of the source after now; after failures the first try that the back-off allows."""
    if not failures:
        return next_tick(now, source.cadence_s, source.offset_s)
    retry = now + timedelta(seconds=max(backoff_s(source.cadence_s, failures, chance), retry_after_s or 0.0))
    tick = next_tick(now, source.cadence_s, source.offset_s)
    return retry if retry < tick else next_tick(retry, source.cadence_s, source.offset_s)


def next_tick(now: datetime, cadence_s: float, offset_s: float) -> datetime:
    """The first whole multiple of the cadence since 1970, plus the offset, after now."""
    since = now.timestamp() - offset_s
    return datetime.fromtimestamp((math.floor(since / cadence_s) + 1) * cadence_s + offset_s, UTC)


def backoff_s(cadence_s: float, failures: int, chance: float) -> float:
    """Doubles with each failure in a row, from a twelfth of the cadence; `chance` 0..1 spreads it over its half."""
    longest = max(BACKOFF_LIMIT_S, cadence_s)
    return min(cadence_s / 12 * 2.0 ** min(failures - 1, 30), longest) * (0.5 + chance / 2)


def page_items(body: bytes) -> int:
    """How many items a page has: the length of its longest array, at the top or one level down. 0: not JSON."""
    try:
        return len(_arrays.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    longest = 0
    try:
        for raw in _objects.decode(body).values():
            if bytes(memoryview(raw)[:1]) == b"[":
                longest = max(longest, len(_arrays.decode(raw)))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    return longest


async def _sleep_until(at: datetime) -> None:
    while (left_s := (at - _now()).total_seconds()) > 0:  # noqa: ASYNC110 it waits for a time, not for an event
        await asyncio.sleep(min(left_s, 60.0))  # a clock that is set meanwhile costs a minute at most


def _now() -> datetime:
    return datetime.now(UTC)


def _nothing() -> None:
    return
