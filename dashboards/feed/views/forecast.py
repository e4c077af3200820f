"""How many spaces will there be in 15, 30 and 60 minutes? forecast.json, only where a forecast beats persistence."""

from __future__ import annotations

from dashboards.feed.records import ForecastData, HorizonForecast, LotForecast
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import FORECAST_TTL_S, of_minute
from schemas.minute import Horizon, LotMinute

NOT_SERVED = "no_forecast_beats_persistence"


def forecast(snapshot: Snapshot) -> bytes:
    return of_minute(snapshot, ForecastData(lots=tuple(_lot(lot, snapshot) for lot in snapshot.lots)), FORECAST_TTL_S)


def _lot(lot: LotMinute, snapshot: Snapshot) -> LotForecast:
    horizons = lot.forecast or ()
    return LotForecast(
        lot_id=lot.lot_id,
        horizons=tuple(_horizon(horizon, snapshot) for horizon in horizons),
        reason=None if horizons else NOT_SERVED,
    )


def _horizon(horizon: Horizon, snapshot: Snapshot) -> HorizonForecast:
    return HorizonForecast(
        minutes=horizon.minutes,
        at=snapshot.local(horizon.at),
        p10=horizon.p10,
        p50=horizon.p50,
        p90=horizon.p90,
        p_space=horizon.p_space,
        score=horizon.score,
        n=horizon.n,
    )
