"""Does the feed publish, and the database keep, what somebody who read the payloads would say of them?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.proof import current_lots, recorded
from tests.proof.chain import Chain
from tests.proof.lots import Published, Stored, published


def lots(city: Chain) -> dict[str, Any]:
    """The lots of the first minute that knows every source."""
    names = {lot.source for lot in current_lots.LOTS} | ({lot.source for lot in recorded.LOTS} & city.supplies.keys())
    city.eventually(lambda: city.first_heard().keys() >= names, "every source has rows", 120)
    lot_by_lot = ("now-npr",)  # asked one by one over its cadence: the last of them decides
    refs = {(lot.source, lot.ref) for lot in current_lots.LOTS if lot.source in lot_by_lot}
    city.eventually(lambda: {row[:2] for row in city.rows(*lot_by_lot)} >= refs, "every lot asked by itself", 120)
    last = [row["received_at"] for row in city.rows(*lot_by_lot).values()]
    return city.lots_at(max(city.pushed_at, *last, *(city.first_heard()[name] for name in names)))


def check_lots(found: dict[str, Any], wanted: Sequence[Published]) -> None:
    assert len({lot.lot_id for lot in wanted}) == len(wanted)
    assert [lot.lot_id for lot in wanted if lot.lot_id not in found] == []
    shown = {lot.lot_id: published(found[lot.lot_id], lot) for lot in wanted}
    assert [(shown[lot.lot_id], lot) for lot in wanted if shown[lot.lot_id] != lot] == []


def check_rows(city: Chain, wanted: Sequence[Stored]) -> None:
    rows = city.rows(*{row.source for row in wanted})
    for one in wanted:
        row = rows[one.source, one.ref, one.pool]
        found = {name: row[name] for name in Stored.__struct_fields__ if name != "flags"}
        assert Stored(**found, flags=tuple(row["flags"] or ())) == one


def check_unregistered(city: Chain, found: dict[str, Any], lot_id: str) -> None:
    """Q26: a lot that nobody has registered is kept and counted, and not published."""
    assert lot_id not in found
    assert city.get("quality.json")["data"]["unregistered"] >= 1
