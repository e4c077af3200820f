"""How lively is each car park? Learned a day at a time from the published minutes, for the test of frozen counts.

The rates of a day are made of days that are over for a day at least, so every minute of it sees the same ones.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sql.connect import Connection
from sql.named import named
from streams.parking.movement import ENOUGH_OBSERVED_S, HOURS_OF_WEEK

_SQL = named("minute")
_SOURCES = named("sources")
SWEEP = "movement"
DAYS = 28
REST = timedelta(days=2)  # the newest day that counts is the day before yesterday


def learn(connection: Connection, day: date, zone: ZoneInfo) -> bool:
    """Learn the next day that is missing for the rates of `day`; False when there is none."""
    last = _SOURCES.progress(connection, sweep=SWEEP)
    first = _SQL.first_minute(connection)
    if first is None:
        return False
    learned = first.astimezone(zone).date() - timedelta(days=1) if last is None else last.astimezone(zone).date()
    wanted = max(learned + timedelta(days=1), day - REST - timedelta(days=DAYS))
    if wanted > day - REST:
        return False
    _SQL.learn_movement(connection, day=wanted, zone=zone.key)
    _SQL.forget_movement(connection, before=wanted - timedelta(days=DAYS))
    _SOURCES.put_progress(connection, sweep=SWEEP, at=datetime(wanted.year, wanted.month, wanted.day, tzinfo=zone))
    return True


def load_rates(connection: Connection, day: date) -> dict[str, list[float | None]]:
    """Changes an hour, for each hour of the week, of the lots that were followed for a week of days."""
    rates: dict[str, list[float | None]] = {}
    for lot_id, hour, observed_s, changes in _SQL.movement(
        connection, since=day - REST - timedelta(days=DAYS - 1), until=day - REST
    ):
        if observed_s >= ENOUGH_OBSERVED_S:
            rates.setdefault(lot_id, [None] * HOURS_OF_WEEK)[hour] = changes * 3600 / observed_s
    return rates
