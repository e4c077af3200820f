"""How does an answer leave through ASGI? Bytes, a file in pieces, or events without end."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from dashboards.feed.answers import Answer

PIECE_BYTES = 64 * 1024


def reply(found: Answer) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": found.status, "headers": _raw(found.headers)})
        await send({"type": "http.response.body", "body": found.body, "more_body": False})

    return app


def file_reply(found: Answer, path: Path, *, unpacks: bool) -> ASGIApp:
    """The head of the answer and the content of the file, of which one piece is in memory."""
    opener: Any = gzip.open if unpacks else open

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": found.status, "headers": _raw(found.headers)})
        file = await asyncio.to_thread(opener, path, "rb")
        try:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            file.close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def event_reply(headers: Mapping[str, str], events: AsyncIterator[bytes]) -> ASGIApp:
    """Events until they end or the client goes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _raw(headers)})
        sending = asyncio.ensure_future(_send_all(events, send))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    return app


async def _send_all(events: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for item in events:
            await send({"type": "http.response.body", "body": item, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
