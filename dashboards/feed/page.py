"""What does a person see without JavaScript? The lots as a table; the page's own files take over where they can run."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.discovery import ROOT
from dashboards.feed.views.status import counted

WORDS = {
    "zh": {
        "lot": "停车场",
        "available": "空余车位",
        "status": "状态",
        "open": "空闲",
        "almost_full": "紧张",
        "full": "已满",
        "closed": "关闭",
        "unknown": "未知",
        "withdrawn": "撤出",
    },
    "en": {
        "lot": "Car park",
        "available": "Available spaces",
        "status": "Status",
        "open": "open",
        "almost_full": "almost full",
        "full": "full",
        "closed": "closed",
        "unknown": "unknown",
        "withdrawn": "withdrawn",
    },
}


def page_zh(snapshot: Snapshot) -> bytes:
    return _page(snapshot, "zh")


def page_en(snapshot: Snapshot) -> bytes:
    return _page(snapshot, "en")


PAGES: dict[str, Callable[[Snapshot], bytes]] = {"/": page_zh, "/en": page_en}  # path -> page


def _page(snapshot: Snapshot, language: str) -> bytes:
    words = WORDS[language]
    names = {lot.lot_id: lot.name_zh if language == "zh" else lot.name_en for lot in snapshot.register.lots}
    rows = []
    for lot in snapshot.lots:
        available, reason = counted(lot.available, lot.capacity, lot.reason)
        shown = f"– <small>{escape(reason or '')}</small>" if available is None else str(available)
        rows.append(
            f"<tr><td>{escape(names.get(lot.lot_id, lot.lot_id))}</td><td>{shown}</td><td>{words[lot.status]}</td></tr>"
        )
    title = escape(snapshot.publisher.publisher_zh if language == "zh" else snapshot.publisher.publisher_en)
    at = snapshot.local(snapshot.minute).isoformat()
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f'<link rel="alternate" type="application/json" href="{ROOT}/parking.json"></head><body><h1>{title}</h1>'
        f"<p><time>{at}</time></p><table><thead><tr><th>{words['lot']}</th><th>{words['available']}</th>"
        f"<th>{words['status']}</th></tr></thead><tbody>{''.join(rows)}</tbody></table></body></html>"
    ).encode()
