"""Which pool is a total or a numbered group of a site? As configured, else `public`, `area_total`, `group_<index>`."""

from __future__ import annotations

from connectors.decoding import SourceContext, Unreadable
from schemas.parking import PUBLIC

_TOTALS = {"site": PUBLIC, "area": "area_total"}


def total_pool(word: str, source: SourceContext, ref: str) -> str:
    return source.pools.get(f"{ref}/{word}") or source.pools.get(word) or _TOTALS[word]


def group_pool(ref: str, index: str, source: SourceContext) -> str:
    """Raises Unreadable missing_pool."""
    if not index:
        raise Unreadable("missing_pool", "a group without index")
    return source.pools.get(f"{ref}/{index}") or source.pools.get(index) or f"group_{index}"
