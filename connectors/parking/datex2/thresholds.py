"""At how many vacant spaces does the source's own status change? For the register; an observation has no place for it.

"Increasing" and "decreasing" are the occupancy: while it rises a site becomes almost full at `almost_full_enter`, while
it falls it stops being so at `almost_full_leave`. That is how Aachen's 56/57 and 0/1 of 560 read; the definitions in
the standard's text were not at hand.
"""

from __future__ import annotations

import msgspec

from connectors.decoding import SourceContext, Unreadable
from connectors.numbers import whole
from connectors.parking.datex2.document import Element, child, parsed, reference, text

_HOLDERS = ("overrideParkingThresholds", "parkingThresholds")


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Vacant spaces; None where the source gives none."""

    ref: str
    almost_full_enter: int | None
    almost_full_leave: int | None
    full_enter: int | None
    full_leave: int | None


def thresholds(payload: bytes, source: SourceContext) -> list[Thresholds]:
    """Of every record, of status or table, that has an id and readable thresholds.

    Raises Unreadable when the document is none.
    """
    found = []
    for record in parsed(payload).iter("{*}parkingRecordStatus", "{*}parkingRecord"):
        holder = next((held for name in _HOLDERS if (held := child(record, name)) is not None), None)
        if holder is None:
            continue
        try:
            found.append(_of(holder, _reference(record, source)))
        except Unreadable:
            continue  # the status itself is decoded, and rejected, elsewhere
    return found


def _reference(record: Element, source: SourceContext) -> str:
    own = (record.get("id") or "").strip()
    return own or reference(record, "parkingRecordReference", source)


def _of(holder: Element, ref: str) -> Thresholds:
    return Thresholds(
        ref=ref,
        almost_full_enter=whole(text(holder, "almostFullIncreasing"), "almostFullIncreasing"),
        almost_full_leave=whole(text(holder, "almostFullDecreasing"), "almostFullDecreasing"),
        full_enter=whole(text(holder, "fullIncreasing"), "fullIncreasing"),
        full_leave=whole(text(holder, "fullDecreasing"), "fullDecreasing"),
    )
