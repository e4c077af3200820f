"""What does a person see without JavaScript? The lots as a table; where scripts run, the page's own files take over.

The words are those of page/words.json, for both; the text around them is page/page.html.jinja.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from dashboards.feed.records import LotStatus, ShareStatus
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.discovery import ROOT, system_information
from dashboards.feed.views.status import records
from schemas.registers import Price

FOLDER = Path(__file__).parent / "page"
LANGUAGES = {"zh": "zh-CN", "en": "en"}
PATHS = {"zh": "/", "en": "/en"}
MODULES = (
    "arrival", "banner", "data", "detail", "explain", "feed", "format", "health", "list", "lots", "main", "row", "say",
    "shapes", "stream",
)  # fmt: skip
# Nothing of another host, nothing inline; maplibre-gl's worker is a file of ours, or a blob that imports it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(self)",
}  # of every HTML answer; a proxy that drops them leaves the policy that the page itself carries


def page_zh(snapshot: Snapshot) -> bytes:
    return _page(snapshot, "zh")


def page_en(snapshot: Snapshot) -> bytes:
    return _page(snapshot, "en")


# what ?lang= asks for; a browser with scripts does the same itself, and remembers it
ASKED: dict[bytes, bytes] = {
    f"{path}?lang={language}".encode(): wanted.encode() for path in PATHS.values() for language, wanted in PATHS.items()
}
PAGES: dict[str, Callable[[Snapshot], bytes]] = {PATHS["zh"]: page_zh, PATHS["en"]: page_en}  # path -> page


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table, in words."""

    lot_id: str
    name: str
    area: str
    available: int | None
    capacity: int | None
    reason: str
    status: str
    status_word: str
    is_stale: bool
    seen_at: datetime | None
    age: str
    share: str
    price: str


class Words:
    """The words of one language. A code without a word is shown as it is: better than nothing."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.known = _all_words()[language]

    def __call__(self, key: str, **values: Any) -> str:
        text = self.known.get(key)
        if text is None:
            return key.rpartition(".")[2].replace("_", " ")
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text


@functools.cache
def _all_words() -> dict[str, dict[str, str]]:
    return msgspec.json.decode((FOLDER / "words.json").read_bytes(), type=dict[str, dict[str, str]])


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def _page(snapshot: Snapshot, language: str) -> bytes:
    from dashboards.feed.files import LINKS  # files lists this page, and this page lists the files

    words = Words(language)
    publisher = snapshot.publisher
    health = snapshot.run.quality
    terms = msgspec.json.decode(system_information(snapshot))["data"]
    fresh = health.lots_by_freshness.get("fresh", 0)
    district = next((area for area in snapshot.run.areas if area.code == publisher.district_code), None)
    return (
        _template()
        .render(
            say=words,
            language=language,
            tag=LANGUAGES[language],
            other="en" if language == "zh" else "zh",
            paths=PATHS,
            root=ROOT,
            policy=POLICY,
            modules=MODULES,
            title=words("title", district=publisher.district_zh if language == "zh" else publisher.district_en),
            at=snapshot.local(snapshot.minute),
            clock=_clock(snapshot.local(snapshot.minute), snapshot.local(snapshot.minute)),
            rows=_rows(snapshot, words),
            fresh=fresh,
            fresh_share=_percent(fresh, health.lots_total),
            lots_total=health.lots_total,
            silent=[source.source for source in health.sources if source.state == "silent"],
            district=district,
            links=[(link.url, link.title_zh if language == "zh" else link.title_en, link.name) for link in LINKS],
            terms=terms,
            publisher=publisher.publisher_zh if language == "zh" else publisher.publisher_en,
            zone=publisher.time_zone,
        )
        .encode()
    )


def _rows(snapshot: Snapshot, words: Words) -> list[Row]:
    is_zh = words.language == "zh"
    lots = {lot.lot_id: lot for lot in snapshot.register.lots}
    areas = {area.code: area.name_zh if is_zh else area.name_en for area in snapshot.register.subdistricts}
    return [
        Row(
            lot_id=record.lot_id,
            name=(lots[record.lot_id].name_zh if is_zh else lots[record.lot_id].name_en)
            if record.lot_id in lots
            else record.lot_id,
            area=areas.get(lots[record.lot_id].subdistrict_code, "") if record.lot_id in lots else "",
            available=record.available,
            capacity=record.capacity,
            reason=words(f"reason.{record.reason}") if record.reason else "",
            status=record.status,
            status_word=words(f"status.{record.status}"),
            is_stale=record.freshness == "stale",
            seen_at=record.observed_at or record.received_at,
            age=_age(record, words),
            share=_share(record.share, snapshot, words),
            price=_price(snapshot.register.prices.get(record.lot_id, ()), words),
        )
        for record in records(snapshot)
    ]


def _age(record: LotStatus, words: Words) -> str:
    """At the tick, rounded down; a source that does not say when: since it was received, and that it is that."""
    if record.freshness == "never":
        return words("freshness.never")
    seconds = record.age_s
    if seconds is None:
        return words("age.none")
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    unit, length = next(pair for pair in units if seconds >= pair[1] or pair[1] == 1)
    age = words(f"age.{unit}", n=seconds // length)
    return words("received", age=age) if record.observed_at is None else words("ago", age=age)


def _share(share: ShareStatus | None, snapshot: Snapshot, words: Words) -> str:
    if share is None:
        return ""
    now = snapshot.local(snapshot.minute)
    leave = None if share.must_leave_by is None else _clock(share.must_leave_by, now)
    if share.spaces_now == 0:
        if share.next is None:
            return words("share.none")
        return words("share.next", at=_clock(share.next.start, now), n=share.next.spaces)
    if share.state == "last_entry_passed":
        return words("share.passed", leave=leave) if leave else words("share.passed.none")
    if share.last_entry_at is None:
        return words("share.leave", leave=leave) if leave else words("share.all")
    until = _clock(share.last_entry_at, now)
    return words("share.open.leave", until=until, leave=leave) if leave else words("share.open", until=until)


def _price(lines: tuple[Price, ...], words: Words) -> str:
    if not lines:
        return words("price.none")
    texts = [line.text_zh if words.language == "zh" else line.text_en for line in lines]
    given = [text for text in texts if text]
    if given:
        return words("list.sep").join(given)
    line = lines[0]
    return words("price.step", price=f"{line.step_price_fen / 100:g}", step=words("stay.min", n=line.step_min))


def _clock(at: datetime, now: datetime) -> str:
    """18:30, with the date when that is another day."""
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%m-%d %H:%M}"


def _percent(part: int, whole: int) -> str:
    return "–" if whole == 0 else f"{100 * part // whole} %"
