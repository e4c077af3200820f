"""What does one feed process hold? The edition it serves, the files of the page, the limiter, what it has counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from dashboards.feed.answers import Answer, Freshness, answer, options, refusal
from dashboards.feed.edition import Edition
from dashboards.feed.encodings import Encoding, Prepared, Variant, chosen, variant
from dashboards.feed.files import BY_PATH, LOT_STATUS
from dashboards.feed.limits import Limiter
from dashboards.feed.page import ASKED
from dashboards.feed.recent import Recent
from schemas.settings import Settings

OVERDUE = timedelta(seconds=15)  # a minute that is so late after its tick makes the one before it stale
STARTING_RETRY_S = 5
MEMO_LIMIT = 4096  # distinct requests of one second
_LOT_STATUS = LOT_STATUS.encode()
_SINCE = re.compile(rb"since_seq=([0-9]{1,18})")


class Memo(msgspec.Struct, frozen=True):
    """What went out for the bytes of one request; sent again as it is while second, edition and staleness stay."""

    wire: bytes
    address: str | None  # whose bucket pays; None: the connection's
    status: int


class Site:
    def __init__(self, settings: Settings, static: Mapping[str, Prepared]) -> None:
        self.settings = settings
        self.static = static
        self.edition: Edition | None = None
        self.published_after_tick_s: float | None = None
        self.database_lost_at: datetime | None = None
        self.limiter = Limiter(settings.feed.requests_per_minute, settings.feed.burst)
        self.memo: dict[bytes, Memo] = {}
        self.served: Counter[int] = Counter()  # answers by status
        self.recent = Recent()
        self.listeners: list[Callable[[Edition, bytes | None], None]] = []  # the edition, and what it changed

    def publish(self, edition: Edition) -> bool:
        """Serve this edition from now on, unless it is no later than the one that is served."""
        if self.edition is not None and edition.place <= self.edition.place:
            return False
        self.edition = edition
        self.published_after_tick_s = (datetime.now(UTC) - edition.minute).total_seconds()
        self.memo.clear()
        change = self.recent.remember(edition)
        for listener in self.listeners:
            listener(edition, change)
        return True

    def database_is(self, *, there: bool, at: datetime) -> None:
        if there:
            self.database_lost_at = None
        elif self.database_lost_at is None:
            self.database_lost_at = at
        self.memo.clear()

    def stale_since(self, now: datetime) -> datetime | None:
        """Since when what is served should have been newer; None while it is as new as it can be."""
        if self.database_lost_at is not None:
            return self.database_lost_at
        if self.edition is not None and now > self.edition.next_tick + OVERDUE:
            return self.edition.next_tick
        return None

    def respond(self, method: str, target: bytes, headers: Mapping[bytes, bytes]) -> Answer | None:
        """The answer when a prepared body or no body at all is asked for; None: the application has to think."""
        if method == "OPTIONS":
            return options()
        if method not in ("GET", "HEAD"):
            return refusal(405, f"{method} is not possible here.", Allow="GET, HEAD, OPTIONS")
        path, _, query = target.partition(b"?")
        if path == _LOT_STATUS and b"since_seq" in query:
            asked = _SINCE.fullmatch(query)
            if asked is None or not self.recent.is_settled(int(asked[1])):
                return None
            delta = self.recent.since(int(asked[1]))
            return None if delta is None else answer(method, headers, delta, self._freshness())
        found = self._find(ASKED.get(target, target)) or self._find(path)
        if found is not None:
            return answer(method, headers, found, self._freshness())
        if path.decode("latin-1") in BY_PATH:
            return unavailable()
        return None

    def prepared_answer(self, method: str, headers: Mapping[bytes, bytes], found: Prepared) -> Answer:
        return answer(method, headers, found, self._freshness())

    def fresh_answer(
        self, method: str, headers: Mapping[bytes, bytes], body: bytes, media_type: str, modified_at: datetime
    ) -> Answer:
        """The answer of a body that was made for this request, in the one encoding that it wants."""
        encoding = chosen(headers.get(b"accept-encoding")) or "identity"
        found = Prepared(
            media_type=media_type,
            modified_at=modified_at,
            policy="tick",
            variants={encoding: variant(body, encoding)},
        )
        return answer(method, headers, found, self._freshness())

    def file_answer(
        self,
        method: str,
        headers: Mapping[bytes, bytes],
        name: str,
        media_type: str,
        modified_at: datetime,
        packed: bool,
    ) -> Answer:
        """The head of a file that never changes and is sent in pieces. packed: it lies there in gzip."""
        variants: dict[Encoding, Variant] = {"gzip": Variant(f'"{name}-gz"', b"")} if packed else {}
        variants["identity"] = Variant(f'"{name}"', b"")
        found = Prepared(media_type=media_type, modified_at=modified_at, policy="static", variants=variants)
        return answer(method, headers, found, self._freshness())

    def address_of(self, scope: Mapping[str, Any]) -> str:
        """Who asks: the peer, or whom our own proxy names last."""
        if self.settings.feed.trust_forwarded_for:
            for name, value in reversed(scope["headers"]):
                if name == b"x-forwarded-for":
                    return str(value.rpartition(b",")[2].strip().decode("latin-1"))[:64]
        client = scope.get("client")
        return str(client[0]) if client else ""

    def _find(self, target: bytes) -> Prepared | None:
        name = target.decode("latin-1")
        if self.edition is not None and name in self.edition.files:
            return self.edition.files[name]
        return self.static.get(name)

    def _freshness(self) -> Freshness:
        now = datetime.now(UTC)
        if self.edition is None:
            return Freshness(now=now, next_tick=now)
        zone = self.edition.snapshot.publisher.zone
        since = self.stale_since(now)
        return Freshness(
            now=now,
            next_tick=self.edition.next_tick.astimezone(zone),
            stale_since=None if since is None else since.astimezone(zone),
        )


def unavailable() -> Answer:
    return refusal(503, "The feed has just started and has not read a minute from the database yet.", STARTING_RETRY_S)
