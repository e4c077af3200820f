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

# What the bytes of the server mean, which are taken out of them: the keys of messages that are safe, and what to say
# at once to what it asked.
Listen = Callable[[bytearray], tuple[list[str], list[bytes]]]


class Line:
    def __init__(self, port: int, listen: Listen, *, answer_s: float = ANSWER_S) -> None:
        self.sent = self.again = self.given_up = self.asked = 0
        self._port, self._listen, self._answer_s = port, listen, answer_s
        self._waiting: OrderedDict[str, bytes] = OrderedDict()
        self._taken: set[str] = set()
        self._heard = asyncio.Event()
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._is_up = True

    def say(self, report: Report) -> None:
        """Keeps a message until it is answered. One that waits for the line means that the line is down."""
        self._is_up = not report.waits
        self._waiting[report.key] = report.data
        self._idle.clear()
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

    async def settled(self) -> None:
        """Until all that was said is answered. To be awaited after something was said."""
        await self._idle.wait()

    async def run(self) -> None:
        """Dials, and dials again, until cancelled."""
        pause_s = DIAL_FIRST_S
        while True:
            await self._ready.wait()
            sent = self.sent
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._answer_s):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                listening = asyncio.ensure_future(self._hear(reader, writer))
                talking = asyncio.ensure_future(self._talk(writer))
                try:
                    await asyncio.wait({listening, talking}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (listening, talking):
                        task.cancel()
                    await asyncio.gather(listening, talking, return_exceptions=True)
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
            pause_s = DIAL_FIRST_S if self.sent > sent else min(pause_s * 2, DIAL_LAST_S)
            await asyncio.sleep(pause_s)

    async def _talk(self, writer: asyncio.StreamWriter) -> None:
        """Ends when the line is no good any more."""
        while True:
            while not (self._is_up and self._waiting):
                self._ready.clear()
                await self._ready.wait()
            key, data = next(iter(self._waiting.items()))
            for tried in range(TRIES):
                self.again += tried > 0
                writer.write(data)
                await writer.drain()
                if await self._is_taken(key):
                    break
            else:
                return
            self._waiting.pop(key, None)
            self.sent += 1
            if not self._waiting:
                self._idle.set()

    async def _is_taken(self, key: str) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._answer_s):
                while key not in self._taken:
                    self._heard.clear()
                    await self._heard.wait()
        is_taken = key in self._taken
        self._taken.clear()
        return is_taken

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ends when the server hangs up."""
        data = bytearray()
        while more := await reader.read(4096):
            data += more
            taken, replies = self._listen(data)
            self.asked += len(replies)
            writer.writelines(replies)
            self._taken.update(taken)
            self._heard.set()


def listen_hj212(data: bytearray) -> tuple[list[str], list[bytes]]:
    return hj212.answers(data), []


def listen_sl651(reply: Callable[[sl651.Downlink], bytes | None]) -> Listen:
    """`reply`: what a station says to a question; None: nothing."""

    def listen(data: bytearray) -> tuple[list[str], list[bytes]]:
        found = sl651.received(data)
        said = [reply(one) for one in found if one.is_question]
        return [f"{one.function:02X}/{one.serial}" for one in found if one.is_taken], [each for each in said if each]

    return listen
