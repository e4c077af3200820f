"""Words: a known one is ours, an unknown one is said and not guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.decoding import SourceContext, Unreadable
from connectors.words import ident, pool, status, strictest

SOURCE = SourceContext(
    source="s",
    received_at=datetime(2026, 11, 24, tzinfo=UTC),
    zone=ZoneInfo("UTC"),
    pools={"Z": "contract", "C": "shared"},
    options={"status": {"2": "closed", "offen": "full"}},
)
POOLS = {"C": "public", "Y": "motorcycle"}
STATES = {"offen": "open", "zu": "closed"}


@pytest.mark.parametrize(("value", "told"), [("A1", "A1"), (" A1 ", "A1"), (7, "7"), (0, "0"), ("0", "0")])
def test_an_id_is_text_or_a_whole_number(value: Any, told: str) -> None:
    assert ident(value, "id") == told


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing_id"),
        ("", "missing_id"),
        ("  ", "missing_id"),
        (7.0, "bad_id"),
        (True, "bad_id"),
        ([], "bad_id"),
        ("x" * 10**6, "bad_id"),
        (10**300, "bad_id"),
    ],
)
def test_what_is_no_id_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        ident(value, "id")
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("Y", "motorcycle"),
        ("C", "shared"),  # the source's configuration goes before the decoder
        ("Z", "contract"),
        ("Heavy Goods (night)", "heavy_goods_night"),  # unknown: its own name, cleaned
        ("y", "y"),
        ("货车", "货车"),
    ],
)
def test_a_pool_is_known_or_keeps_its_word(value: str, told: str) -> None:
    assert pool(value, POOLS, SOURCE) == told


@pytest.mark.parametrize("value", [None, "", "🚗", " - ", 7, True, [], {}, "x" * 300])
def test_what_names_no_pool_is_refused(value: Any) -> None:
    with pytest.raises(Unreadable, match="_pool"):
        pool(value, POOLS, SOURCE)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("ZU", ("closed", ())),
        ("Offen", ("full", ())),  # options.status corrects the decoder
        (2, ("closed", ())),
        (None, (None, ())),
        ("", (None, ())),
        ("kaputt", ("unknown", ("unknown_status",))),
        ([], ("unknown", ("unknown_status",))),
        (False, ("unknown", ("unknown_status",))),
        ("x" * 10**6, ("unknown", ("unknown_status",))),
    ],
)
def test_a_status_is_known_or_unknown(value: Any, told: tuple[str | None, tuple[str, ...]]) -> None:
    assert status(value, STATES, SOURCE) == told


def test_closed_wins_and_silence_never_does() -> None:
    assert strictest("open", "closed") == "closed"
    assert strictest("fault", "closed", None) == "closed"
    assert strictest(None, "open") == "open"
    assert strictest("unknown", "full") == "unknown"
    assert strictest(None, None) is None
