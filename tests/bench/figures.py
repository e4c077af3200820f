"""What is a figure of the bench, and is it good enough? Values, their references and targets; pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

# What `--json` always has; null where a part was not run, or did not get so far.
KEYS = (
    "full_path_vs_copy",
    "rows_per_s",
    "visible_ms_p99",
    "feed_vs_nginx",
    "publish_after_tick_s",
    "catchup_hour_s",
    "worker_rss_mb",
    "demo_rss_mb",
    "water_full_path_vs_copy",
    "frame_to_webhook_ms_p99",
    "storm_x100_cpu_share",
    "sl651_frames_per_s",
    "sl651_2000_rss_mb",
    "water_catchup_hour_s",
)


class Target(msgspec.Struct, frozen=True):
    """A bound for the value itself, or for its ratio to the reference."""

    bound: float
    of: Literal["value", "ratio"] = "value"
    sense: Literal["at least", "at most"] = "at most"

    def is_reached(self, figure: float) -> bool:
        return figure >= self.bound if self.sense == "at least" else figure <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.sense == "at least" else "≤"
        return f"{sign} {shown(self.bound)}{' of it' if self.of == 'ratio' else ''}"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value beside what was measured in the same run to compare it with."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    beside: str = ""  # what the reference is
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        return None if not self.reference else self.value / self.reference

    @property
    def is_reached(self) -> bool | None:
        """None where there is nothing to reach."""
        if self.target is None:
            return None
        figure = self.value if self.target.of == "value" else self.ratio
        return None if figure is None else self.target.is_reached(figure)


class Measured(msgspec.Struct, frozen=True):
    """What a part of the bench gives: figures for people, values by key for programs."""

    figures: tuple[Figure, ...]
    values: Mapping[str, Any]


def document(measured: Sequence[Measured], failed: Mapping[str, str]) -> dict[str, Any]:
    """The JSON of a run: the keys everybody may count on first, then what else was seen."""
    found: dict[str, Any] = dict.fromkeys(KEYS)
    for part in measured:
        found |= {key: _rounded(value) for key, value in part.values.items()}
    found["targets"] = {
        figure.name.strip(): figure.is_reached
        for part in measured
        for figure in part.figures
        if figure.target is not None
    }
    found["failed"] = dict(failed)
    return found


def median(values: Sequence[float]) -> float:
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` percent of all do not exceed (nearest rank): a value that was really seen."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    rank = math.ceil(share / 100 * len(ordered))
    return ordered[max(rank, 1) - 1]


def shown(value: float) -> str:
    """Three digits that count: 0.512, 43.1, 118,000."""
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 1000:
        step = 10 ** (math.floor(math.log10(size)) - 2)
        return f"{round(value / step) * step:,.0f}"
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.3f}"


def _rounded(value: Any) -> Any:
    """Four digits are more than a run can tell."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(inner) for inner in value]
    return value
