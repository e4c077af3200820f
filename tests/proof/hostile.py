"""Sources that mean harm, or are broken as badly, beside two good ones in the same connector process."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from connectors.parking import ymzh
from tests.connectors.servers import Asked, Feed
from tests.proof.chain import SECRET
from tests.proof.lots import Message, Published, Supply, counted

MEGABYTE = 1024 * 1024
BOMB = gzip.compress(bytes(64 * MEGABYTE)) * 16  # a gigabyte in one of a thousandth of its size
ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a0 "aaaaaaaaaa">'
    + b"".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">'.encode() for n in range(1, 12))
    + b"]><z>&a11;</z>"
)
DEEP = b'{"items":' * 300_000
DEEP_XML = b"<a>" * 200_000
LOTS: tuple[Published, ...] = (counted("good-poll", "7:1", 0, 100), counted("good-push", "p-1", 0, 100))


def park(number: str, total: str = '"60"', stamp: str = '"2026-11-24T10:30:00"', ref: str = '"X1"') -> bytes:
    """One car park of hdb, its values as they stand in the document."""
    info = f'{{"total_lots":{total},"lot_type":"C","lots_available":{number}}}'
    lot = f'{{"carpark_number":{ref},"update_datetime":{stamp},"carpark_info":[{info}]}}'
    return f'{{"items":[{{"carpark_data":[{lot}]}}]}}'.encode()


# What is read, and the reason of the dead letter that comes of it.
DOCUMENTS: dict[str, tuple[str, bytes, str]] = {
    "bad-entities": ("datex2", ENTITIES, "dtd_refused"),
    "bad-deep-xml": ("datex2", DEEP_XML, "not_xml"),
    "bad-deep": ("hdb", DEEP, "too_deep"),
    "bad-nan": ("hdb", park("NaN"), "not_json"),
    "bad-huge": ("hdb", park("1e308"), "bad_number"),
    "bad-null": ("hdb", park("null", "null", "null", "null"), "missing_id"),
    "bad-nulls": ("parkapi-v3", b'{"items":[null,null]}', "bad_item"),
    "bad-nul": ("hdb", park("1", ref='"X\\u0000"'), "contract"),
    "bad-long": ("hdb", park("1", ref=f'"{"x" * 100_000}"'), "bad_id"),
    "bad-many": ("lta", json.dumps({"value": [None] * 60_000}).encode(), "too_many_rows"),
    "bad-text": ("hdb", "停车场".encode("gb18030") * 50_000, "not_json"),
}
# What is not even read, and what the health of the source says of it.
REFUSED = {
    "bad-bomb": "when decompressed",
    "bad-stated": "104857600 bytes",
    "bad-endless": "more than",
    "bad-slow": "within",
    "bad-cut": "ends in its middle",
    "bad-gzip": "not gzip",
}


class Ground:
    """The server of all of them. Until the attack begins, the bad ones have nothing new to say."""

    def __init__(self) -> None:
        self.attack = threading.Event()
        self.over = threading.Event()
        self.asked: dict[str, int] = dict.fromkeys((*DOCUMENTS, *REFUSED), 0)
        self.said: dict[datetime, int] = {}  # by the good one: when, and how many were free
        self.feed = Feed(self._answer)
        self._answers: dict[str, Callable[[Asked], None]] = {
            "bad-bomb": lambda asked: asked.answer(BOMB, Content_Encoding="gzip"),
            "bad-stated": _stated,
            "bad-endless": _endless,
            "bad-slow": self._slow,
            "bad-cut": lambda asked: asked.answer(gzip.compress(park("1"))[:-12], Content_Encoding="gzip"),
            "bad-gzip": lambda asked: asked.answer(park("1"), Content_Encoding="gzip"),
        }

    @contextlib.contextmanager
    def serving(self) -> Iterator[Ground]:
        with self.feed.serving():
            try:
                yield self
            finally:
                self.over.set()

    def supplies(self) -> tuple[Supply, ...]:
        polls = {"good-poll": "parkapi-v3", **{name: decoder for name, (decoder, _, _) in DOCUMENTS.items()}}
        polls |= dict.fromkeys(REFUSED, "hdb")
        found = [
            Supply(
                name=name,
                decoder=decoder,
                zone="Asia/Singapore",
                document=lambda now, path: b"",
                table={"url": f"{self.feed.url}/{name}", "cadence_s": 1.0, "offset_s": 0.0},
            )
            for name, decoder in polls.items()
        ]
        push = (("good-push", "ymzh"), ("bad-push", "lpr"))
        return (*found, *(Supply(name=name, decoder=decoder, zone="Asia/Shanghai") for name, decoder in push))

    def _answer(self, asked: Asked) -> None:
        name = asked.path.strip("/")
        if name == "good-poll":
            asked.answer(self._good())
            return
        if not self.attack.is_set():
            asked.raw(b"HTTP/1.1 304 X\r\n\r\n")
            return
        self.asked[name] += 1
        if name in DOCUMENTS:
            asked.answer(DOCUMENTS[name][1])
            return
        self._answers[name](asked)
        asked.hang_up()

    def _good(self) -> bytes:
        at, free = datetime.now(UTC), len(self.said) % 100
        self.said[at] = free
        site = {"source_id": 7, "original_uid": "1", "capacity": 100, "realtime_capacity": 100}
        told = {"realtime_free_capacity": free, "realtime_data_updated_at": at.isoformat()}
        return json.dumps({"items": [{**site, **told}]}).encode()

    def _slow(self, asked: Asked) -> None:
        asked.raw(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n{")
        while not self.over.wait(0.3):
            asked.raw(b" ")


def _stated(asked: Asked) -> None:
    asked.raw(f"HTTP/1.1 200 X\r\nContent-Length: {100 * MEGABYTE}\r\n\r\n".encode())
    for _ in range(100):
        asked.raw(bytes(MEGABYTE))


def _endless(asked: Asked) -> None:
    asked.raw(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        asked.raw(b"100000\r\n" + b"[" * MEGABYTE + b"\r\n")


def good_message(at: datetime, free: int, secret: str = SECRET) -> Message:
    body = {
        "ParkKey": "p-1",
        "TimeStamp": str(int(at.timestamp() * 1000)),
        "Nonce": str(at.timestamp()),
        "Data": {"TotalSpaces": 100, "RemainingSpaces": free},
    }
    signed = {**body, "Sign": ymzh.sign(json.dumps(body, separators=(",", ":")).encode(), secret)}
    return Message(body=json.dumps(signed, separators=(",", ":")).encode())
