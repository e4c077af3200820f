"""Which forecasts are over by the clock of the log, whether their station speaks or not?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from streams.alerts.episodes import Change
from streams.water.forecast import Forecast, Outlook, expire
from streams.water.hazards import Key
from streams.water.rules import SeriesRules, micros
from streams.water.standing import Standing


class Expiries(msgspec.Struct, frozen=True):
    changes: list[Change]
    over: set[Key]  # station, hazard


def expiries(
    forecasts: Mapping[Key, Standing], outlooks: Mapping[Key, Outlook], rules: Mapping[str, SeriesRules], now: int
) -> Expiries:
    """The ends that a sweep says. One that the folds have ended or told anew since is theirs."""
    changes: list[Change] = []
    over: set[Key] = set()
    for key, standing in sorted(forecasts.items()):
        if standing.is_newest and key[0] in rules:
            _, ended = expire(_outlook(standing, outlooks.get(key)), rules[key[0]], now)
            changes += ended
            if ended:
                over.add(key)
    return Expiries(changes, over)


def _outlook(standing: Standing, known: Outlook | None) -> Outlook:
    """As the folds have it: a forecast that is only prolonged is not told again. Else as it was told."""
    alert = standing.alert
    if known is not None and known.alert is not None and known.alert.alert_id == alert.alert_id:
        return known
    detail = alert.detail
    told = Forecast(
        level=alert.level,
        made_at=micros(alert.raised_at),
        crosses_at=micros(datetime.fromisoformat(detail["crosses_at"])),
        expires_at=micros(datetime.fromisoformat(detail["expires_at"])),
        slope_per_min=detail["slope_per_min"],
        value=detail["value"],
    )
    return Outlook(forecast=told, alert=alert)
