"""What is an officer shown in a storm? What crosses next, who is blind, what is closed first; each with reasons."""

from __future__ import annotations

from datetime import datetime

import msgspec

SHOWN = 200  # of each list; the totals count all


class Reason(msgspec.Struct, frozen=True):
    """A sentence, and what it adds to the points of a rank."""

    zh: str
    en: str
    points: float = 0.0


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """The next level of a station, and when it is reached at the pace of now."""

    station_id: str
    name_zh: str
    name_en: str
    kind: str
    level: int  # 1 blue .. 4 red
    crosses_at: datetime
    minutes: float
    reasons: tuple[Reason, ...]


class Blind(msgspec.Struct, frozen=True, kw_only=True):
    """A station of which it is not known how it is now."""

    station_id: str
    name_zh: str
    name_en: str
    kind: str
    knowledge: str  # offline, stale, never
    since: datetime | None  # null: it was never heard
    points: float
    reasons: tuple[Reason, ...]


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """An underpass in the order of closing; `points` is the sum of its reasons' points."""

    station_id: str
    name_zh: str
    name_en: str
    level: int  # the danger that stands
    value_m: float | None
    observed_at: datetime | None
    points: float
    reasons: tuple[Reason, ...]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A pump or a sluice: what it does, by its newest word."""

    station_id: str
    name_zh: str
    name_en: str
    kind: str
    state: str  # running, standing; open, closed, moving; unknown
    observed_at: datetime | None


class BasinRain(msgspec.Struct, frozen=True, kw_only=True):
    """The areal mean of a basin. mm null: it is not known."""

    basin_id: str
    name_zh: str
    name_en: str
    hours: int
    mm: float | None
    missing_share: float
    missing: tuple[str, ...] = ()  # the gauges that are not in it


class StormView(msgspec.Struct, frozen=True, kw_only=True):
    """A minute of a storm, or the one in which it ended."""

    at: datetime
    is_active: bool
    why: tuple[Reason, ...]
    coming: tuple[Coming, ...] = ()
    blind: tuple[Blind, ...] = ()
    close_first: tuple[Closing, ...] = ()
    machines: tuple[Machine, ...] = ()
    rain: tuple[BasinRain, ...] = ()
    coming_total: int = 0
    blind_total: int = 0
    close_total: int = 0


class StormAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of GET /storm. There is always one: "no storm, as of .." is said, and so is "nobody knows"."""

    as_of: datetime | None  # the minute of the log that this is true of; null: the log has not been swept yet
    age_s: float | None
    is_stale: bool
    state: str  # storm, no_storm, unknown
    sentence_zh: str
    sentence_en: str
    rain: tuple[BasinRain, ...] = ()  # the newest means of 1, 3 and 6 hours
    view: StormView | None = None  # of the storm that is on
