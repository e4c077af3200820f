"""The water stations of a chaos run: each sends its next minute when the last one was answered, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

from demo.water.gateways import Gateways
from demo.water.lines import Line, listen_hj212, listen_sl651
from demo.water.reports import Report
from schemas.settings import Settings
from tests.chaos.water import Post, Reading, Said, ports, posts, said

OPENING_S = 1.0
LATE_MIN = 25  # of each 50 minutes of a device
ANSWER_S = 3.0  # so long a station waits before it sends the same again


class Heard:
    """What was sent, and what of it is safe by the word of who took it.

    A station's message is, when it was answered. An uplink is, when the broker has had it for a while on a connection
    that held: a broker answers before it has saved (demo/water/gateways.py).
    """

    def __init__(self) -> None:
        self.offered: dict[Reading, float] = {}
        self.confirmed: set[Reading] = set()
        self.uplinks: dict[str, Said] = {}  # by the key of their report

    def offer(self, one: Said) -> None:
        self.offered.update(one.readings)

    def confirm(self, one: Said) -> None:
        self.confirmed.update(one.readings)

    def is_safe(self, report: Report) -> None:
        self.confirm(self.uplinks[report.key])


class Stations:
    """All of them; `run` ends when all that was said is safe. `stored`: the readings of devices that came through."""

    def __init__(
        self, settings: Settings, begin: datetime, heard: Heard, stored: Callable[[], Collection[Reading]]
    ) -> None:
        self._begin, self._heard, self._stored = begin, heard, stored
        self.gateways = Gateways(settings.ports.mqtt, client_id="chaos-lorawan", safe=heard.is_safe)
        self.lines = {post: _line(settings, post) for post in posts() if post.protocol != "lora"}
        self._devices = [post for post in posts() if post.protocol == "lora"]

    async def run(self, every_s: float, quiet: asyncio.Event) -> None:
        dialling = [asyncio.create_task(line.run()) for line in self.lines.values()]
        self.gateways.start()
        try:
            await asyncio.gather(
                *(self._speak(post, line, every_s, quiet) for post, line in self.lines.items()),
                self._send_all(every_s, quiet),
            )
            await self.gateways.settled()
        finally:
            self.gateways.stop()
            for task in dialling:
                task.cancel()
            await asyncio.gather(*dialling, return_exceptions=True)

    async def _speak(self, post: Post, line: Line, every_s: float, quiet: asyncio.Event) -> None:
        minute = 0
        while not quiet.is_set():
            one = said(post, self._begin, minute)
            self._heard.offer(one)
            line.say(one.report)
            await line.settled()
            self._heard.confirm(one)
            minute += 1
            await asyncio.sleep(every_s)

    async def _send_all(self, every_s: float, quiet: asyncio.Event) -> None:
        """What is published before anybody subscribes is nobody's: the first uplinks are said until they are stored."""
        first = {post: said(post, self._begin, 0) for post in self._devices}
        for one in first.values():
            self._heard.offer(one)
        while missing := {reading for one in first.values() for reading in one.readings} - set(self._stored()):
            for post, one in first.items():
                if missing & one.readings.keys():
                    self._heard.uplinks[one.report.key] = one
                    self.gateways.publish(post.address, one.report)
            await asyncio.sleep(OPENING_S)
        await asyncio.gather(*(self._send(post, every_s, quiet) for post in self._devices))

    async def _send(self, post: Post, every_s: float, quiet: asyncio.Event) -> None:
        """The first half of each 50 minutes waits for the end of an hour: late, and between what was said before."""
        minute = 0
        late: list[Report] = []
        while not quiet.is_set():
            minute += 1
            one = said(post, self._begin, minute)
            self._heard.offer(one)
            self._heard.uplinks[one.report.key] = one
            late.append(one.report)
            if minute % 50 >= LATE_MIN:
                self.gateways.publish(post.address, late.pop())
            if minute % 60 == 59:
                self._say_all(post, late)
            await asyncio.sleep(every_s)
        self._say_all(post, late)

    def _say_all(self, post: Post, late: list[Report]) -> None:
        for report in late:
            self.gateways.publish(post.address, report)
        late.clear()


def _line(settings: Settings, post: Post) -> Line:
    listen = listen_hj212 if post.protocol == "hj212" else listen_sl651(lambda question: None)
    return Line(ports(settings, post.connector)[post.protocol], listen, answer_s=ANSWER_S)
