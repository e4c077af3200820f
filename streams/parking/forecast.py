"""How many spaces in 15, 30 and 60 minutes, and is that worth saying? (reference parking 5.8)

Relative average of the previous three weeks: the mean change of `occupied` from the same weekday-time on, scaled by
how lively the last two hours were beside the same hours of those weeks. Every quarter of an hour a prediction is noted
in the lot's state and settled when its time comes, against persistence ("as now"). A horizon is published only while
the model beat persistence over the last 14 days, with its score. The spread is Laplace's, from the mean error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from math import exp, log
from typing import Any

import msgspec

from schemas.minute import Horizon

HORIZONS_MIN = (15, 30, 60)
STEP_MIN = 15
ACTIVITY_MIN = 120
WEEKS, FEWEST_WEEKS = 3, 2
LEAST_RATIO, MOST_RATIO = 0.3, 3.0  # one odd afternoon must not stop or treble a district
FEWEST_SCORED = 96  # settled predictions before a score is believed: a day of quarters
LATE_BY = timedelta(minutes=2)  # a prediction is settled at its minute or dropped

Samples = Mapping[int, int]  # minutes from now (-120 .. 60, steps of 15) -> occupied at that time of that week


class Score(msgspec.Struct, frozen=True):
    """Sums over the last 14 days; errors in spaces."""

    n: int
    error_model: float
    error_persistence: float
    covered: int = 0

    @property
    def value(self) -> float:
        return 0.0 if self.error_persistence <= 0 else 1 - self.error_model / self.error_persistence


class ForecastInput(msgspec.Struct, frozen=True):
    """weeks[0] is this week up to now, weeks[1..3] the three before."""

    weeks: Sequence[Samples]
    scores: Mapping[int, Score]  # by horizon


class Settled(msgspec.Struct, frozen=True):
    """One prediction and what became of it: added to parking_forecast_score."""

    lot_id: str
    horizon_min: int
    day: date
    error_model: float
    error_persistence: float
    is_covered: bool


class Spread(msgspec.Struct, frozen=True):
    """available: the middle, and the mean error around it."""

    p50: float
    mean_error: float
    capacity: int

    def quantile(self, share: float) -> float:
        away = self.mean_error * (log(2 * share) if share < 0.5 else -log(2 * (1 - share)))
        return round(min(max(self.p50 + away, 0.0), float(self.capacity)), 1)

    @property
    def p_space(self) -> float:
        """Probability of at least one space: half a space or more of the continuous middle."""
        away = 0.5 - self.p50
        if self.mean_error <= 0:
            return 1.0 if away <= 0 else 0.0
        tail = 0.5 * exp(-abs(away) / self.mean_error)
        return round(tail if away > 0 else 1 - tail, 3)


def predict(available: int, capacity: int, given: ForecastInput, horizon_min: int) -> Spread | None:
    """None where fewer than two of the three weeks know the time."""
    changes = [week[horizon_min] - week[0] for week in given.weeks[1 : WEEKS + 1] if horizon_min in week and 0 in week]
    if len(changes) < FEWEST_WEEKS:
        return None
    mean = sum(changes) / len(changes)
    weeks = [{0: capacity - available, **given.weeks[0]}, *given.weeks[1:]]  # what is now is known here first
    middle = min(max(available - mean * _liveliness(weeks), 0.0), float(capacity))
    score = given.scores.get(horizon_min)
    if score is not None and score.n > 0:
        mean_error = score.error_model / score.n
    else:
        mean_error = max(1.0, sum(abs(change - mean) for change in changes) / len(changes))
    return Spread(round(middle, 1), mean_error, capacity)


def horizons(available: int, capacity: int, given: ForecastInput, at: datetime) -> tuple[Horizon, ...] | None:
    """What may be published: the horizons whose model has beaten persistence."""
    found = []
    for minutes in HORIZONS_MIN:
        score = given.scores.get(minutes)
        if score is None or score.n < FEWEST_SCORED or score.value <= 0:
            continue
        spread = predict(available, capacity, given, minutes)
        if spread is not None:
            found.append(
                Horizon(
                    minutes=minutes,
                    at=at + timedelta(minutes=minutes),
                    p10=spread.quantile(0.1),
                    p50=spread.p50,
                    p90=spread.quantile(0.9),
                    p_space=spread.p_space,
                    score=round(score.value, 3),
                    n=score.n,
                )
            )
    return tuple(found) or None


def note(
    pending: Sequence[Sequence[Any]], available: int, capacity: int, given: ForecastInput, at: datetime
) -> list[Sequence[Any]]:
    """The pending predictions and those made at `at`: [due, horizon, p10, p50, p90, available now]."""
    noted = list(pending)
    if at.minute % STEP_MIN != 0:
        return noted
    for minutes in HORIZONS_MIN:
        spread = predict(available, capacity, given, minutes)
        if spread is not None:
            due = (at + timedelta(minutes=minutes)).isoformat()
            noted.append([due, minutes, spread.quantile(0.1), spread.p50, spread.quantile(0.9), available])
    return noted


def settle(
    lot_id: str, pending: Sequence[Sequence[Any]], available: int | None, at: datetime, day: date
) -> tuple[list[Sequence[Any]], list[Settled]]:
    """Those still pending, and those whose time has come. Without a count at that time they are dropped."""
    waiting: list[Sequence[Any]] = []
    settled: list[Settled] = []
    for prediction in pending:
        due, minutes, p10, p50, p90, persistence = prediction
        due_at = datetime.fromisoformat(due)
        if at < due_at:
            waiting.append(prediction)
        elif available is not None and at - due_at <= LATE_BY:
            settled.append(
                Settled(
                    lot_id,
                    minutes,
                    day,
                    abs(p50 - available),
                    float(abs(persistence - available)),
                    p10 <= available <= p90,
                )
            )
    return waiting, settled


def _liveliness(weeks: Sequence[Samples]) -> float:
    now = _activity(weeks[0]) if weeks else None
    past = [activity for week in weeks[1 : WEEKS + 1] if (activity := _activity(week)) is not None]
    if now is None or len(past) < FEWEST_WEEKS or sum(past) == 0:
        return 1.0
    return min(max(now * len(past) / sum(past), LEAST_RATIO), MOST_RATIO)


def _activity(week: Samples) -> int | None:
    """The sum of changes over the last two hours; None where a sample is missing."""
    times = range(-ACTIVITY_MIN, 1, STEP_MIN)
    if any(minutes not in week for minutes in times):
        return None
    return sum(abs(week[minutes] - week[minutes - STEP_MIN]) for minutes in times if minutes > -ACTIVITY_MIN)
