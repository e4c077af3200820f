"""What do clients get that stay? Server-sent events: all lots once, then what changes at each tick.

The id of an event is <content_seq>/<minute>; a client that comes back with it gets what changed since. A client that
does not take its events is dropped: it comes back with its last id and has missed nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from dashboards.feed.edition import Edition
from dashboards.feed.files import LOT_STATUS
from dashboards.feed.recent import Recent

CLIENTS_LIMIT = 500
CLIENTS_PER_ADDRESS = 10
QUEUE_LIMIT = 4
HEARTBEAT_S = 15.0
RETRY_MS = 5_000


class Full(Exception):
    """There is no room for another client."""


class Client:
    def __init__(self, address: str) -> None:
        self.address = address
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LIMIT)


class Stream:
    def __init__(self, recent: Recent, heartbeat_s: float = HEARTBEAT_S) -> None:
        self.recent = recent
        self.heartbeat_s = heartbeat_s
        self.clients: set[Client] = set()
        self.addresses: Counter[str] = Counter()
        self.dropped = 0

    def publish(self, edition: Edition, body: bytes | None) -> None:
        """The one change of this tick, encoded once for all."""
        if body is None:
            return
        item = event("delta", edition, body)
        for client in list(self.clients):
            self._offer(client, item)

    def join(self, address: str) -> Client:
        """Raises Full."""
        if len(self.clients) >= CLIENTS_LIMIT or self.addresses[address] >= CLIENTS_PER_ADDRESS:
            raise Full
        client = Client(address)
        self.clients.add(client)
        self.addresses[address] += 1
        return client

    def leave(self, client: Client) -> None:
        if client in self.clients:
            self.clients.remove(client)
            self.addresses[client.address] -= 1
            self.addresses += Counter()  # forgets addresses without clients

    async def events(self, client: Client, last_event_id: str | None) -> AsyncIterator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        try:
            first = self._first(last_event_id)
            if first is not None:
                yield first
            while True:
                try:
                    item = await asyncio.wait_for(client.queue.get(), self.heartbeat_s)
                except TimeoutError:
                    yield b": heartbeat\n\n"
                    continue
                if item is None:
                    return
                yield item
        finally:
            self.leave(client)

    def close(self) -> None:
        for client in list(self.clients):
            self._end(client)

    def _first(self, last_event_id: str | None) -> bytes | None:
        now = self.recent.now
        if now is None:
            return None
        seq = seq_of(last_event_id)
        body = self.recent.since(seq) if seq is not None and self.recent.knows(seq) else None
        if body is not None:
            return event("delta", now.edition, body.variants["identity"].body)
        return event("snapshot", now.edition, now.edition.files[LOT_STATUS].variants["identity"].body)

    def _offer(self, client: Client, item: bytes) -> None:
        try:
            client.queue.put_nowait(item)
        except asyncio.QueueFull:
            self.dropped += 1
            self._end(client)

    def _end(self, client: Client) -> None:
        while not client.queue.empty():
            client.queue.get_nowait()
        client.queue.put_nowait(None)
        self.leave(client)


def event(name: str, edition: Edition, body: bytes) -> bytes:
    run = edition.snapshot.run
    at = edition.snapshot.local(run.minute).isoformat()
    return f"event: {name}\nid: {run.content_seq}/{at}\ndata: ".encode() + body + b"\n\n"


def seq_of(last_event_id: str | None) -> int | None:
    head = (last_event_id or "").partition("/")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 19 else None
