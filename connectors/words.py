"""Which of our words is a foreign one: an id, a pool, a status? What is not known is said, not guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.decoding import SourceContext, Unreadable, shown

_NOT_WORD = re.compile(r"\W+")
_LONGEST = 256  # no id, pool or status is longer; the contract's own bounds are narrower


def ident(value: Any, field: str) -> str:
    """A lot's id: text, or a whole number as text. Raises Unreadable missing_id, bad_id."""
    if value is None:
        raise Unreadable("missing_id", f"{field} is missing")
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise Unreadable("bad_id", f"{field} is {shown(value)}")
    text = str(value) if isinstance(value, int) else value
    if len(text) >= _LONGEST:
        raise Unreadable("bad_id", f"{field} is {shown(text)}, too long")
    if not text.strip():
        raise Unreadable("missing_id", f"{field} is empty")
    return text.strip()


def pool(value: Any, names: Mapping[str, str], source: SourceContext) -> str:
    """Our pool of their word: as the source is configured, else as the decoder knows, else the word itself, cleaned.

    Raises Unreadable missing_pool, bad_pool.
    """
    if value is None or value == "":
        raise Unreadable("missing_pool", "nothing says which kind of space this is")
    if not isinstance(value, str) or len(value) >= _LONGEST:
        raise Unreadable("bad_pool", f"{shown(value)} is no kind of space")
    known = source.pools.get(value) or names.get(value)
    if known:
        return known
    cleaned = _NOT_WORD.sub("_", value.lower()).strip("_")
    if not cleaned:
        raise Unreadable("bad_pool", f"{shown(value)} is no kind of space")
    return cleaned


def status(value: Any, names: Mapping[str, str], source: SourceContext) -> tuple[str | None, tuple[str, ...]]:
    """source_status and flags of their word, in any case. Null and empty: the source did not say.

    `options.status` of the source adds words to the decoder's own, or corrects them: {"2" = "closed"}.
    """
    if value is None or value == "":
        return None, ()
    if isinstance(value, (str, int, float)) and len(text := str(value)) < _LONGEST:
        word = text.strip().lower()
        configured = source.options.get("status")
        told = configured.get(word) if isinstance(configured, dict) else None
        if isinstance(told, str):
            return told, ()
        if word in names:
            return names[word], ()
    return "unknown", ("unknown_status",)


def strictest(*statuses: str | None) -> str | None:
    """The one that counts where a source says several: closed, then unknown, then full, then open."""
    for one in _PRECEDENCE:
        if one in statuses:
            return one
    return None


_PRECEDENCE = ("closed", "fault", "unknown", "full", "almost_full", "open")
