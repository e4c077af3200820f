"""What a forecast looks back on, and how good forecasts were. SQL only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sql.connect import Connection
from sql.named import named
from streams.parking.forecast import (
    ACTIVITY_MIN,
    HORIZONS_MIN,
    STEP_MIN,
    WEEKS,
    ForecastInput,
    Score,
    Settled,
)

_SQL = named("forecast")
SCORED_DAYS = 14
_WEEK_MIN = 7 * 24 * 60
# Minutes from now, by week: this one up to now (which is being computed), the three before up to an hour later.
OFFSETS = tuple(range(-ACTIVITY_MIN, 0 if week == 0 else max(HORIZONS_MIN) + 1, STEP_MIN) for week in range(WEEKS + 1))


def load_inputs(connection: Connection, at: datetime, day: date) -> dict[str, ForecastInput]:
    """By lot; `day` is the local day of `at`. A lot of which no week and no score is known is not there."""
    places = {
        at + timedelta(minutes=offset - week * _WEEK_MIN): (week, offset)
        for week, offsets in enumerate(OFFSETS)
        for offset in offsets
    }
    weeks: dict[str, list[dict[int, int]]] = {}
    for minute, lot_id, occupied in _SQL.samples(connection, minutes=list(places)):
        week, offset = places[minute]
        weeks.setdefault(lot_id, [{} for _ in OFFSETS])[week][offset] = occupied
    scores = load_scores(connection, day)
    return {
        lot_id: ForecastInput(weeks=samples, scores=scores.get(lot_id, {}))
        for lot_id, samples in weeks.items()
        if any(samples[1:])
    }


def load_scores(connection: Connection, day: date) -> dict[str, dict[int, Score]]:
    """Of the days before `day`."""
    scores: dict[str, dict[int, Score]] = {}
    rows = _SQL.scores(connection, since=day - timedelta(days=SCORED_DAYS), before=day)
    for lot_id, horizon_min, n, error_model, error_persistence, covered in rows:
        scores.setdefault(lot_id, {})[horizon_min] = Score(n, error_model, error_persistence, covered)
    return scores


def write_scores(connection: Connection, settled: Sequence[Settled]) -> None:
    """Add what was settled. Promise: once, because the minute that settled it is written once."""
    if not settled:
        return
    _SQL.add_scores(
        connection,
        lot_ids=[one.lot_id for one in settled],
        horizons_min=[one.horizon_min for one in settled],
        days=[one.day for one in settled],
        errors_model=[one.error_model for one in settled],
        errors_persistence=[one.error_persistence for one in settled],
        covered=[one.is_covered for one in settled],
    )
