"""A river with thresholds, and samples for it: what the tests of water speak about."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.water_registers import Hazard, Level, Neighbour, Station, StationKind, Threshold, WaterRegister
from streams.water.columns import Folded, Reading, columns_of
from streams.water.danger import Episode
from streams.water.fold import fold
from streams.water.replay import table_of
from streams.water.revisions import AlertChange
from streams.water.ring import Ring
from streams.water.rises import final_episodes
from streams.water.rules import MINUTE, micros
from streams.water.series import SeriesTable

ZONE = ZoneInfo("Asia/Shanghai")
T0 = datetime(2026, 6, 1, 0, 0, tzinfo=UTC)
FROM = datetime(2015, 1, 1, tzinfo=UTC)
Sample = tuple[float, float]  # minute, level
LEVELS: tuple[tuple[Level, float, float], ...] = (
    ("blue", 1.0, 0.9),
    ("yellow", 1.5, 1.4),
    ("orange", 2.0, 1.9),
    ("red", 2.5, 2.4),
)


def minute(at: float) -> int:
    return micros(T0 + timedelta(minutes=at))


def station(
    name: str = "dm",
    kind: StationKind = "river",
    rate: float | None = 0.2,
    flat_line_min: float = 60.0,
    element: str = "level_m",
) -> Station:
    return Station(
        station_id=name, valid_from=FROM, source="s", station=name, name_zh="东门站", name_en="Dongmen", kind=kind,
        lat=22.55, lon=114.12, element=element, range_low=-1.0, range_high=8.0, rate_limit_per_min=rate,
        flat_line_min=flat_line_min,
    )  # fmt: skip


def thresholds(
    name: str = "dm",
    confirm: int = 1,
    hold_min: float = 30.0,
    levels: Sequence[tuple[Level, float, float]] = LEVELS,
    confirm_max_s: float = 1e9,
    hazard: Hazard = "flood",
    element: str = "level_m",
) -> tuple[Threshold, ...]:
    return tuple(
        Threshold(
            station_id=name, hazard=hazard, element=element, level=level, on=on, off=off, confirm=confirm,
            confirm_max_s=confirm_max_s, hold_min=hold_min, source="预案 2026", valid_from=FROM,
        )
        for level, on, off in levels
    )  # fmt: skip


def register(
    own: Sequence[Threshold] = (), *, of: Station | None = None, neighbours: Sequence[Neighbour] = ()
) -> WaterRegister:
    return WaterRegister(
        stations=(station() if of is None else of,), thresholds=tuple(own or thresholds()), neighbours=tuple(neighbours)
    )


def table(of: WaterRegister | None = None, hours: float = 24.0) -> SeriesTable:
    return table_of(register() if of is None else of, ZONE, Ring(hours))


def feed(state: SeriesTable, samples: Sequence[Sample], slot: int = 0, heard: float | None = None) -> Folded:
    """Samples as they came; each is heard at its own time, or at the newest before it, or at `heard`."""
    clock = int(state.heard_at[slot])
    readings = []
    for at, value in samples:
        clock = max(clock, minute(at)) if heard is None else minute(heard)
        readings.append(Reading(slot, minute(at), clock, value))
    return fold(state, columns_of(readings))


def told(state: SeriesTable, samples: Sequence[Sample]) -> list[AlertChange]:
    """The revisions, one sample after the other."""
    return [change for sample in samples for change in feed(state, [sample]).changes]


def words(changes: Sequence[AlertChange]) -> list[tuple[str, int, float]]:
    """What went out, its level, and in which minute."""
    return [(change.what, change.alert.level, (change.at - minute(0)) / MINUTE) for change in changes]


def history(state: SeriesTable) -> list[tuple[str, str, float, float | None, float, tuple[tuple[float, int], ...]]]:
    """Station, hazard, start, end, peak, levels: what must not depend on the order of arrival."""
    return [(name, *outline(episode)) for name, episode in final_episodes(state)]


def outline(episode: Episode) -> tuple[str, float, float | None, float, tuple[tuple[float, int], ...]]:
    return (
        episode.hazard,
        (episode.started_at - minute(0)) / MINUTE,
        None if episode.ended_at is None else (episode.ended_at - minute(0)) / MINUTE,
        episode.peak,
        tuple(((step.at - minute(0)) / MINUTE, step.level) for step in episode.steps),
    )


def flood(hours: int = 12, step_min: int = 5, seed: int = 1, top: float = 2.8) -> list[Sample]:
    """A synthetic flood of two peaks: a quick rise, a slow fall, a noise of a few millimetres."""
    dice = random.Random(seed)
    samples = []
    for at in range(0, hours * 60, step_min):
        level = 0.3
        for peak_at, height in ((hours * 20.0, top - 0.3), (hours * 42.0, (top - 0.3) * 0.6)):
            span = (at - peak_at) / (25.0 if at < peak_at else 70.0)
            level += height * 2.718281828 ** (-(span**2))
        samples.append((float(at), round(level + dice.choice((-0.003, 0.0, 0.003)), 3)))
    return samples
