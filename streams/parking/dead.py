"""Which car parks has nobody heard of for a day although their source lives? The operator is told (reference 5.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from schemas.minute import LotMinute, SourceMinute
from streams.alerts.episodes import Clearing, Finding, Subject

DOMAIN = "parking"
KIND = "lot_dead"
LEVEL = 1


def findings(
    lots: Iterable[LotMinute], sources: Iterable[SourceMinute], names: Mapping[str, tuple[str, str]], zone: tzinfo
) -> tuple[list[Finding], list[Clearing]]:
    """What a minute says of dead lots. A lot whose source is silent is neither found nor cleared: that is one alert."""
    silent = {source.source for source in sources if source.state in ("silent", "unknown", "starting")}
    found: list[Finding] = []
    cleared: list[Clearing] = []
    for lot in lots:
        heard_at = lot.observed_at or lot.received_at
        if lot.source in silent:
            continue
        if lot.freshness == "dead" and heard_at is not None and lot.status != "withdrawn":
            found.append(_finding(lot, heard_at, names.get(lot.lot_id, (lot.lot_id, lot.lot_id)), zone))
        else:
            cleared.append(_clearing(lot, names.get(lot.lot_id, (lot.lot_id, lot.lot_id))))
    return found, cleared


def _finding(lot: LotMinute, heard_at: datetime, name: tuple[str, str], zone: tzinfo) -> Finding:
    since = heard_at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return Finding(
        subject=Subject(DOMAIN, KIND, lot.lot_id),
        founded_at=heard_at,
        level=LEVEL,
        sentence_zh=f"停车场 {name[0]}（{lot.lot_id}）自 {since} 起无数据，其数据源正常，请联系运营方。",
        sentence_en=f"Nothing was heard of car park {name[1]} ({lot.lot_id}) since {since}, though its source reports:"
        " ask its operator.",
        detail={"heard_at": heard_at.isoformat(), "source": lot.source},
    )


def _clearing(lot: LotMinute, name: tuple[str, str]) -> Clearing:
    return Clearing(
        subject=Subject(DOMAIN, KIND, lot.lot_id),
        sentence_zh=f"停车场 {name[0]}（{lot.lot_id}）恢复上报。",
        sentence_en=f"Car park {name[1]} ({lot.lot_id}) reports again.",
    )
