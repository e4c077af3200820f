"""Which alerts of water stand at an instant of the log, and of which asset and hazard do they speak?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from schemas.water_registers import WaterRegister
from streams.alerts.episodes import Alert, Clearing
from streams.water.knowledge import NETWORK, OFFLINE

OF_NETWORK: Final = ("reversal", "blockage", "pump_idle")
FORECAST: Final = "_forecast"  # what the kind of an alert of a forecast ends with

UNCONFIRMED: Final = "_unconfirmed"  # .. and of one of what a single sample says


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it stood then."""

    alert: Alert
    is_newest: bool = True  # nothing was told of it since
    told_at: datetime | None = None  # before that instant; None: long ago
    is_acknowledged: bool = False

    @property
    def is_danger(self) -> bool:
        """Whether it says that something is dangerous now; not that it may be, nor that nothing is known."""
        kind = self.alert.subject.kind
        return kind not in (OFFLINE, NETWORK) and not kind.endswith((FORECAST, UNCONFIRMED))

    @property
    def is_forecast(self) -> bool:
        return self.alert.subject.kind.endswith(FORECAST)


def stations_of_network(register: WaterRegister) -> dict[str, str]:
    """The station that stands for a node or a pipe in what is said of them: of a pipe that of its lower end."""
    by_node = {node.node_id: node.station_id for node in register.nodes if node.station_id is not None}
    by_edge = {edge.edge_id: by_node.get(edge.downstream) or by_node.get(edge.upstream) for edge in register.edges}
    return {**{edge: station for edge, station in by_edge.items() if station is not None}, **by_node}


def dangers(
    standing: Iterable[Standing], known: Mapping[str, object], of_network: Mapping[str, str]
) -> dict[tuple[str, str], Standing]:
    """What stands, by station and hazard. Of several (two pipes that meet at a station) the worst."""
    found: dict[tuple[str, str], Standing] = {}
    for each in standing:
        if each.is_danger:
            subject = each.alert.subject
            station_id = subject.subject if subject.subject in known else of_network.get(subject.subject, "")
            if station_id in known:
                before = found.get((station_id, subject.kind))
                if before is None or each.alert.level > before.alert.level:
                    found[station_id, subject.kind] = each
    return found


def forecasts(standing: Iterable[Standing]) -> dict[tuple[str, str], Standing]:
    """What is projected, by station and hazard."""
    return {
        (each.alert.subject.subject, each.alert.subject.kind.removesuffix(FORECAST)): each
        for each in standing
        if each.is_forecast
    }


def strangers(
    standing: Iterable[Standing], known: Collection[str], of_network: Collection[str]
) -> tuple[Standing, ...]:
    """What stands of stations that are no more. Of the pipes it is judged, and ended, by what is known of them."""
    return tuple(
        each
        for each in standing
        if (each.is_danger or each.is_forecast)
        and each.alert.subject.kind not in OF_NETWORK
        and each.alert.subject.subject not in known
        and each.alert.subject.subject not in of_network
    )


def withdrawn(standing: Standing) -> Clearing:
    """The end of what is said of a station that is no more: nothing will be heard that could end it."""
    subject = standing.alert.subject
    return Clearing(
        subject=subject,
        sentence_zh=f"测站 {subject.subject} 已撤除，其预警随之结束，当地现状未知。",
        sentence_en=f"Station {subject.subject} is withdrawn and its alert ends; how it is there is not known.",
        detail={"ended_by": "withdrawn"},
    )
