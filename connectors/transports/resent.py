"""When was this message first heard? One that is sent again, for want of an answer, keeps that time.

A station whose clock is wrong has its readings as of when they came: sent again they would be readings of another time,
and count twice. Only messages with a serial of their own are asked about: equal bytes are then one message.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta

WITHIN = timedelta(minutes=10)  # a station gives up after two or three tries
MOST = 32_768  # messages that are remembered, the newest


class FirstHeard:
    def __init__(self, within: timedelta = WITHIN, most: int = MOST) -> None:
        self._within, self._most = within, most
        self._heard: OrderedDict[bytes, datetime] = OrderedDict()  # by digest, oldest first

    def at(self, message: bytes, now: datetime) -> datetime:
        name = hashlib.blake2b(message, digest_size=16).digest()
        first = self._heard.get(name)
        if first is not None and now - first <= self._within:
            return first
        self._heard[name] = now
        self._heard.move_to_end(name)
        if len(self._heard) > self._most:
            self._heard.popitem(last=False)
        return now
