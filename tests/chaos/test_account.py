"""The account itself: what it calls lost, doubled, altered or unapplied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.account import Account, settle
from tests.chaos.load import Key

START = datetime(2026, 11, 24, tzinfo=UTC)
T = "parking.observations"


def key(second: int) -> Key:
    return ("op-1", "lot-1", START + timedelta(seconds=second))


def account(**changes: object) -> Account:
    facts: dict[str, object] = {
        "offered": {key(1): 5, key(2): 0},
        "confirmed": {key(1), key(2)},
        "stored": [(key(1), 5), (key(2), 0)],
        "moves": [(T, 0, 0, 3), (T, 0, 3, 4)],
        "ends": {(T, 0): 4},
    }
    return settle(**(facts | changes))  # type: ignore[arg-type]


def test_what_was_confirmed_is_stored_once() -> None:
    assert account() == Account(
        offered=2, confirmed=2, stored=2, lost=0, doubled=0, altered=0, invented=0, unapplied=0, holes=0
    )
    assert account().balances


def test_what_was_never_confirmed_may_be_stored() -> None:
    assert account(confirmed={key(1)}).balances


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"stored": [(key(1), 5)]}, "lost"),
        ({"stored": [(key(1), 5), (key(2), 0), (key(2), 0)]}, "doubled"),
        ({"stored": [(key(1), 5), (key(2), None)]}, "altered"),
        ({"stored": [(key(1), 5), (key(2), 0), (key(3), 0)]}, "invented"),
        ({"moves": [(T, 0, 0, 3), (T, 0, 2, 4)]}, "doubled"),
        ({"moves": [(T, 0, 0, 4), (T, 0, 0, 4)]}, "doubled"),
        ({"moves": [(T, 0, 0, 2), (T, 0, 3, 4)]}, "holes"),
        ({"moves": [(T, 0, 0, 3)]}, "unapplied"),
        ({"moves": []}, "unapplied"),
    ],
)
def test_each_fault_has_its_name(changes: dict[str, object], fault: str) -> None:
    found = account(**changes)
    assert getattr(found, fault) > 0
    assert not found.balances
