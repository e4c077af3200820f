"""One station's line: a TCP connection on which a message is sent until it is answered, then the next.

A message that is not answered is sent again with the same bytes; after three tries the station dials anew. What waits
is kept in its order, and of too much the oldest is given up, as in a station whose memory is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable

from demo.water import hj212, sl651
from demo.water.reports import Report

log = logging.getLogger(__name__)

TRIES = 3
ANSWER_S = 15.0
MEMORY = 4_320  # messages: three days of minutes
DIAL_FIRST_S, DIAL_LAST_S = 1.0, 30.0

Taken = Callable[[bytearray], list[str]]  # the keys of the messages that the bytes answer, which are taken out of them


class Line:
    def __init__(self, port: int, taken: Taken, *, answer_s: float = ANSWER_S) -> None:
        self.sent = self.again = self.given_up = 0
        self._port, self._taken, self._answer_s = port, taken, answer_s
        self._waiting: OrderedDict[str, bytes] = OrderedDict()
        self._ready = asyncio.Event()
        self._is_up = True

    def say(self, report: Report) -> None:
        """Keeps a message until it is answered. One that waits for the line means that the line is down."""
        self._is_up = not report.waits
        self._waiting[report.key] = report.data
        while len(self._waiting) > MEMORY:
            self._waiting.popitem(last=False)
            self.given_up += 1
        if self._is_up:
            self._ready.set()
        else:
            self._ready.clear()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def run(self) -> None:
        """Dials, and dials again, until cancelled."""
        pause_s = DIAL_FIRST_S
        while True:
            await self._ready.wait()
            sent = self.sent
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._answer_s):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    await self._talk(reader, writer)
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
            pause_s = DIAL_FIRST_S if self.sent > sent else min(pause_s * 2, DIAL_LAST_S)
            await asyncio.sleep(pause_s)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Raises ConnectionError or TimeoutError when the line is no good any more."""
        heard = bytearray()
        while True:
            while not (self._is_up and self._waiting):
                self._ready.clear()
                await self._ready.wait()
            key, data = next(iter(self._waiting.items()))
            for tried in range(TRIES):
                self.again += tried > 0
                writer.write(data)
                await writer.drain()
                if await self._is_taken(reader, heard, key):
                    break
            else:
                raise TimeoutError(f"{key} has no answer")
            self._waiting.pop(key, None)
            self.sent += 1

    async def _is_taken(self, reader: asyncio.StreamReader, heard: bytearray, key: str) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._answer_s):
                while True:
                    if key in self._taken(heard):
                        return True
                    data = await reader.read(4096)
                    if not data:
                        raise ConnectionError("the server hung up")
                    heard += data
        return False


def taken_sl651(data: bytearray) -> list[str]:
    return [f"{answer.function:02X}/{answer.serial}" for answer in sl651.answers(data) if answer.is_taken]


def taken_hj212(data: bytearray) -> list[str]:
    return hj212.answers(data)
