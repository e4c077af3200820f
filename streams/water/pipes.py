"""Is a pipe surcharged, blocked, running backward; do its pumps and sluices do what they should?

The levels of a node and of a street are judged by thresholds (defaults.py), as those of a river are. What needs two
ends of a pipe, the rain, or a machine beside the water is found here, for a sweep, from the newest good samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Final

import msgspec
import numpy as np

from schemas.water_registers import Edge, Node
from streams.alerts.episodes import Clearing, Finding, Subject
from streams.water.qartod import Floats, Ints
from streams.water.rules import HOUR, MINUTE, instant
from streams.water.sentences import clock

LEVEL_ERROR_M: Final = 0.02  # of the difference of two sensors
SAME_TIME: Final = 10 * MINUTE  # samples of two ends further apart are not compared
BLOCKED_FOR: Final = 4 * HOUR
DRY_MM: Final = 1.0  # in 6 hours
USUAL: Final = 200  # samples from which a usual level may be known
PUMP_LATE: Final = 10 * MINUTE


class Filling(msgspec.Struct, frozen=True):
    share: float  # of the pipe's height; over 1 it is surcharged
    surcharge_m: float  # above the crown; 0 while it is not
    freeboard_m: float  # up to the street; below 0 it stands on the street


class Recent(msgspec.Struct, frozen=True):
    """The good samples of a series that are at hand, in order. Never empty."""

    ats: Ints
    values: Floats

    @property
    def at(self) -> int:
        return int(self.ats[-1])

    @property
    def value(self) -> float:
        return float(self.values[-1])


def filling(node: Node, level_m: float) -> Filling:
    height_m = node.crown_m - node.invert_m
    share = (level_m - node.invert_m) / height_m if height_m > 0 else float("nan")
    return Filling(share, max(level_m - node.crown_m, 0.0), node.ground_m - level_m)


def is_reversed(upstream: Recent, downstream: Recent, error_m: float = LEVEL_ERROR_M) -> bool | None:
    """Whether the lower end stood higher than the upper one at two samples in a row. None: they cannot be compared."""
    verdicts = []
    for place in (-1, -2):
        if len(downstream.ats) < -place:
            return None
        at = int(downstream.ats[place])
        near = int(np.argmin(np.abs(upstream.ats - at)))
        if abs(int(upstream.ats[near]) - at) > SAME_TIME:
            return None
        verdicts.append(float(downstream.values[place]) > float(upstream.values[near]) + error_m)
    return verdicts[0] if verdicts[0] == verdicts[1] else None


def runs_backward(velocity: Recent, error: float = 0.02) -> bool | None:
    """Two samples in a row below zero."""
    if len(velocity.values) < 2:
        return None
    last = velocity.values[-2:]
    return True if bool((last < -error).all()) else False if bool((last >= -error).all()) else None


def usual_m(levels: Recent) -> float | None:
    """Over this it is high: the 99th percentile of what was before the last four hours. None: it is not known."""
    before = levels.values[levels.ats < levels.at - BLOCKED_FOR]
    return float(np.quantile(before, 0.99)) if len(before) >= USUAL else None


def is_blocked(
    levels: Recent, rain_6h_mm: float | None, rain_missing: float, blocked_over_m: float | None = None
) -> bool | None:
    """High in dry weather for four hours. None: it is not known.

    `blocked_over_m`: of a node that is blocked already, what was usual before that. It is held by it until it is as
    usual again, for what is high for long becomes usual by itself.
    """
    if rain_6h_mm is None or rain_missing > 0.2 or rain_6h_mm > DRY_MM:
        return None  # wet weather says nothing about a blockage, and ends none
    if blocked_over_m is not None:
        return False if levels.value <= blocked_over_m else None
    usual = usual_m(levels)
    held = levels.values[levels.ats >= levels.at - BLOCKED_FOR]
    if usual is None or len(held) < 3:
        return None
    return True if (held > usual).all() else False if levels.value <= usual else None


class PipeState(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep knows: by station, and the rain of six hours there."""

    levels: Mapping[str, Recent]
    velocities: Mapping[str, Recent] = {}
    rain_6h: Mapping[str, tuple[float | None, float]] = {}  # mm, missing share
    pumps: Mapping[str, Recent] = {}  # 1 running, 0 not
    pump_starts_m: Mapping[str, float] = {}  # level of its sump at which a pump must run
    blocked_over_m: Mapping[str, float] = {}  # by node, of blockages that stand: what was usual before


def network_findings(
    nodes: Sequence[Node], edges: Sequence[Edge], state: PipeState, now: int, zone: tzinfo
) -> tuple[list[Finding], list[Clearing]]:
    """Reversals of pipes, blockages of nodes, idle pumps. What is not known is neither found nor cleared."""
    by_node = {node.node_id: node for node in nodes}
    found: list[Finding] = []
    cleared: list[Clearing] = []
    for edge in edges:
        upper, lower = by_node.get(edge.upstream), by_node.get(edge.downstream)
        verdict = _reversal(upper, lower, state)
        at = _newest(state, lower)
        zh = f"管段 {edge.edge_id} 倒灌：下游 {edge.downstream} 水位高于上游 {edge.upstream}"
        en = f"Pipe {edge.edge_id} runs backward: {edge.downstream} stands higher than {edge.upstream}"
        _add(found, cleared, verdict, Subject("water", "reversal", edge.edge_id), at, 2, zh, en, now, zone)
    for node in nodes:
        levels = state.levels.get(node.station_id or "")
        if levels is not None:
            rain_mm, missing = state.rain_6h.get(node.station_id or "", (None, 1.0))
            verdict = is_blocked(levels, rain_mm, missing, state.blocked_over_m.get(node.node_id))
            usual = {"usual_m": round(usual_m(levels) or 0.0, 3)} if verdict else {}
            zh = f"节点 {node.node_id} 疑似淤堵：近 6 小时无明显降雨，水位 {levels.value:.2f} 米已持续偏高 4 小时"
            en = f"Node {node.node_id} may be blocked: hardly any rain in 6 h, and {levels.value:.2f} m for 4 h"
            _add(
                found,
                cleared,
                verdict,
                Subject("water", "blockage", node.node_id),
                levels.at,
                1,
                zh,
                en,
                now,
                zone,
                usual,
            )
    for station_id, running in sorted(state.pumps.items()):
        verdict = _pump_stands(running, state.levels.get(station_id), state.pump_starts_m.get(station_id))
        zh = f"泵站 {station_id} 未运行，集水池水位已达启动水位"
        en = f"Pump {station_id} stands still although its sump is at the level where it must run"
        _add(found, cleared, verdict, Subject("water", "pump_idle", station_id), running.at, 3, zh, en, now, zone)
    return found, cleared


def _reversal(upper: Node | None, lower: Node | None, state: PipeState) -> bool | None:
    if upper is None or lower is None:
        return None
    velocity = state.velocities.get(lower.station_id or "") or state.velocities.get(upper.station_id or "")
    by_velocity = None if velocity is None else runs_backward(velocity)
    ends = state.levels.get(upper.station_id or ""), state.levels.get(lower.station_id or "")
    by_levels = None if ends[0] is None or ends[1] is None else is_reversed(ends[0], ends[1])
    if by_velocity or by_levels:
        return True
    return by_levels if by_velocity is None else by_velocity


def _pump_stands(running: Recent, sump: Recent | None, starts_m: float | None) -> bool | None:
    if sump is None or starts_m is None:
        return None
    if running.value != 0 or sump.value < starts_m:
        return False
    idle = running.ats[running.values != 0]
    high = sump.ats[sump.values < starts_m]
    since = max(int(idle[-1]) if len(idle) else int(running.ats[0]), int(high[-1]) if len(high) else int(sump.ats[0]))
    return True if min(running.at, sump.at) - since >= PUMP_LATE else None


def pump_state(running: Recent | None) -> str:
    """running, standing or unknown."""
    return "unknown" if running is None else "standing" if running.value == 0 else "running"


def gate_state(opening_m: Recent | None) -> str:
    """open, closed, moving or unknown: of a sluice."""
    if opening_m is None:
        return "unknown"
    if len(opening_m.values) > 1 and abs(float(opening_m.values[-1] - opening_m.values[-2])) > 0.01:
        return "moving"
    return "open" if opening_m.value > 0.01 else "closed"


def _newest(state: PipeState, node: Node | None) -> int:
    recent = None if node is None else state.levels.get(node.station_id or "")
    return 0 if recent is None else recent.at


def _add(
    found: list[Finding], cleared: list[Clearing], verdict: bool | None, subject: Subject, at: int, level: int,
    zh: str, en: str, now: int, zone: tzinfo, detail: Mapping[str, float] | None = None,
) -> None:  # fmt: skip
    time = clock(at, instant(now), zone)
    if verdict:
        found.append(
            Finding(
                subject=subject, founded_at=instant(at), level=level, sentence_zh=f"{zh}（{time}）。",
                sentence_en=f"{en} (at {time}).", detail=dict(detail or {}),
            )
        )  # fmt: skip
    elif verdict is False:
        cleared.append(
            Clearing(
                subject=subject,
                sentence_zh=f"{subject.subject} 已恢复正常（{time}）。",
                sentence_en=f"{subject.subject} is as usual again (at {time}).",
            )
        )
