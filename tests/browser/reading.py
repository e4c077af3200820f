"""What does the page show? Its rows as values, and the lots of a minute that a test is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from schemas.minute import LotMinute

ROWS = """() => Object.fromEntries([...document.querySelectorAll('.lot[data-lot]')].map((row) => [row.dataset.lot, {
    name: row.querySelector('.name').textContent,
    figure: row.querySelector('.figure').textContent,
    under: row.querySelector('.under').textContent,
    status: row.dataset.status,
    sign: row.querySelector('.sign').getAttribute('class'),
    word: row.querySelector('.word').textContent,
    age: row.querySelector('.age').textContent,
    share: row.querySelector('.share').textContent,
    price: row.querySelector('.price').textContent,
    hatched: getComputedStyle(row.querySelector('.figure')).backgroundImage.includes('gradient'),
    hidden: row.hidden,
}]))"""


def shown(rows: dict[str, Any]) -> list[str]:
    return [lot_id for lot_id, row in rows.items() if not row["hidden"]]


def compact(names: list[str]) -> str:
    return json.dumps(names, separators=(",", ":"))


def of_kind(rows: tuple[LotMinute, ...], holds: Callable[[LotMinute], bool]) -> list[LotMinute]:
    found = [row for row in rows if holds(row)]
    assert found, "the district has none of this kind"
    return found
