"""What is said of each asset and hazard now: how dangerous it is, what is known of it, and what is to come?

Two states that never mix: not knowing lowers no level, and a level says nothing of how sure it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from schemas.water_registers import StationKind
from streams.water.forecast import Outlook
from streams.water.knowledge import Judged
from streams.water.rules import ALWAYS, SeriesKey, instant, is_gauge, micros, period_at
from streams.water.standing import Standing
from streams.water.watched import Good, Newest, Watched, good_of

# Of a station for which no threshold is in force: by it its knowledge is said all the same.
HAZARD_OF: Final[Mapping[StationKind, str]] = {
    "river": "flood", "reservoir": "flood", "sluice": "flood", "pump": "surcharge", "pipe_node": "surcharge",
    "street": "ponding", "underpass": "ponding", "rain": "rain",
}  # fmt: skip
EXPLAINS: Final = ("rule", "threshold", "peak", "peak_at", "delayed", "flapping", "rain")  # of an alert's detail
Key = tuple[str, str]  # station, hazard


class HazardRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of table water_hazard."""

    station_id: str
    hazard: str
    level: int = 0
    since: datetime | None = None
    knowledge: str = "never"
    knowledge_since: datetime | None = None
    forecast_level: int = 0
    forecast_at: datetime | None = None
    value: float | None = None
    observed_at: datetime | None = None
    state: dict[str, Any] = {}


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at a minute, beside the stations themselves."""

    minute: datetime
    newest: Mapping[SeriesKey, Newest]
    dangers: Mapping[Key, Standing]
    forecasts: Mapping[Key, Standing]  # that stand after this minute's expiries
    outlooks: Mapping[Key, Outlook] = {}  # of those forecasts, and of those that stood a minute ago
    rain_1h_mm: Mapping[str, float] = {}  # by gauge
    lines: Mapping[str, Mapping[str, Any]] = {}  # by station: what is kept of its line, and why it is stuck
    before: Mapping[Key, HazardRow] = {}


def rows(watched: Mapping[str, Watched], judged: Iterable[Judged], situation: Situation) -> list[HazardRow]:
    """A row for each station and each hazard that is judged for it, or stands."""
    known = {each.station_id: each for each in judged}
    elements = {station_id: hazards_of(each, situation.minute) for station_id, each in watched.items()}
    keys = {(station_id, hazard) for station_id, hazards in elements.items() for hazard in hazards}
    keys |= {key for key in (*situation.dangers, *situation.forecasts) if key[0] in watched}
    keys |= {(name, HAZARD_OF[watched[name].station.kind]) for name, hazards in elements.items() if not hazards}
    return [_row(key, watched[key[0]], known[key[0]], elements[key[0]].get(key[1]), situation) for key in sorted(keys)]


def hazards_of(watched: Watched, minute: datetime) -> dict[str, str]:
    """The hazards for which thresholds are in force, each with the element that is held against them."""
    at = micros(minute)
    return {hazard.hazard: rules.element for _, rules in watched.series for hazard in period_at(rules, at).hazards}


def _row(key: Key, watched: Watched, judged: Judged, element: str | None, situation: Situation) -> HazardRow:
    before, danger = situation.before.get(key), situation.dangers.get(key)
    forecast, outlook = situation.forecasts.get(key), situation.outlooks.get(key)
    good = _good(watched, element or watched.rules.element, situation, before)
    knowledge: str = judged.state
    if judged.is_held and before is not None and before.knowledge == "offline":
        knowledge = "offline"  # it was silent before nobody listened, and was not heard since
    return HazardRow(
        station_id=key[0],
        hazard=key[1],
        level=0 if danger is None else danger.alert.level,
        since=None if danger is None else _since(danger),
        knowledge=knowledge,
        knowledge_since=_knowledge_since(judged, knowledge, before, situation.minute),
        forecast_level=0 if forecast is None else forecast.alert.level,
        forecast_at=None if forecast is None else _crosses_at(forecast, outlook),
        value=None if good is None else good.value,
        observed_at=None if good is None else instant(good.at),
        state=_explained(watched, judged, element, danger, _counts(outlook, before))
        | dict(situation.lines.get(key[0], {})),
    )


def _good(watched: Watched, element: str, situation: Situation, before: HazardRow | None) -> Good | None:
    good = good_of(watched, situation.newest, element)
    if is_gauge(watched.rules):  # it is judged by its sums: a count by itself tells nobody anything
        mm = situation.rain_1h_mm.get(watched.station.station_id)
        return None if good is None or mm is None else Good(good.at, mm)
    if good is None and before is not None and before.value is not None and before.observed_at is not None:
        return Good(micros(before.observed_at), before.value)
    return good


def _since(danger: Standing) -> datetime:
    started_at = danger.alert.detail.get("started_at")
    return danger.alert.raised_at if started_at is None else datetime.fromisoformat(started_at)


def _knowledge_since(judged: Judged, knowledge: str, before: HazardRow | None, minute: datetime) -> datetime | None:
    if knowledge == "never":
        return None
    if before is not None and before.knowledge == knowledge:
        return before.knowledge_since
    return minute if knowledge == "ok" else instant(judged.since)


def _crosses_at(forecast: Standing, outlook: Outlook | None) -> datetime:
    """As projected last: that is told again only when the level is another."""
    if outlook is not None and outlook.forecast is not None:
        return instant(outlook.forecast.crosses_at)
    return datetime.fromisoformat(forecast.alert.detail["crosses_at"])


def _counts(outlook: Outlook | None, before: HazardRow | None) -> dict[str, Any] | None:
    """How often forecasts came true here, and whether they are told still."""
    if outlook is not None:
        return {"hits": outlook.hits, "false": outlook.false, "told": outlook.is_told}
    return None if before is None else before.state.get("forecasts")


def _explained(
    watched: Watched, judged: Judged, element: str | None, danger: Standing | None, counts: dict[str, Any] | None
) -> dict[str, Any]:
    state: dict[str, Any] = {
        "element": "rain_1h_mm" if is_gauge(watched.rules) else element or watched.rules.element,
        "has_thresholds": element is not None,
        "raining": judged.known.raining,
    }
    if judged.known.heard_at != ALWAYS:
        state["heard_at"] = instant(judged.known.heard_at).isoformat()
    if danger is not None:
        detail = danger.alert.detail
        state |= {"alert_id": str(danger.alert.alert_id), "acknowledged": danger.is_acknowledged}
        state |= {name: detail[name] for name in EXPLAINS if detail.get(name) is not None}
    if counts is not None:
        state["forecasts"] = counts
    return state
