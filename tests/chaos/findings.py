"""What is there at the end of a run? The database, the log and the notes of the receiver, as the accounts need it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from schemas.settings import Settings
from schemas.topics import WATER_READINGS
from sql.connect import Connection, connect
from sql.registers import read_water
from tests.chaos.account import Account, Move, settle
from tests.chaos.alerts_account import AlertsAccount, Delivery, Event, Standing, expected, settle_alerts
from tests.chaos.load import Key, Offers
from tests.chaos.receiver import told
from tests.chaos.stations import Heard
from tests.chaos.water import Reading
from tests.connectors import log

Ends = dict[tuple[str, int], int]
_PARKING = (
    "select source, ref, at, free from parking_observation join parking_series using (series_id)"
    " where source in ('op-1', 'op-2')"
)
# a reading, and every other word about its time: a resent message says nothing new, so there must be none
_WATER = (
    "select source, station, element, at, value from water_series join ("
    "select series_id, at, value from water_reading union all select series_id, at, value from water_revision"
    ") as said using (series_id)"
)
_ALERTS = "select alert_id, level, ended_at, revision from alert where domain = 'water'"
_EVENTS = (
    "select alert_id, e.revision, e.at, e.change, e.level from alert_event as e join alert as a using (alert_id)"
    " where a.domain = 'water' order by alert_id, e.revision"
)
_DELIVERIES = "select delivery_id::text, alert_id::text, revision, state from delivery where kind = 'alert'"


def parking(connection: Connection, offers: Offers, ends: Ends) -> Account:
    stored: list[tuple[Key, float | None]] = [
        ((source, ref, at), free) for source, ref, at, free in _rows(connection, _PARKING)
    ]
    return settle(offers.offered, offers.confirmed, stored, *_of(connection, ends, "parking."))


def water(connection: Connection, heard: Heard, ends: Ends) -> Account:
    stored: list[tuple[Reading, float | None]] = [
        ((source, station, element, at), value) for source, station, element, at, value in _rows(connection, _WATER)
    ]
    return settle(heard.offered, heard.confirmed, stored, *_of(connection, ends, "water."))


def alerts(connection: Connection, settings: Settings, folder: Path) -> AlertsAccount:
    standing: dict[UUID, Standing] = {
        alert_id: (level, ended_at, revision) for alert_id, level, ended_at, revision in _rows(connection, _ALERTS)
    }
    events: dict[UUID, list[Event]] = {}
    for alert_id, *event in _rows(connection, _EVENTS):
        revision, at, change, level = event
        events.setdefault(alert_id, []).append((revision, at, change, level))
    deliveries = [Delivery(*row) for row in _rows(connection, _DELIVERIES)]
    wanted = expected(log.rows(settings, WATER_READINGS), read_water(connection))
    return settle_alerts(wanted, (standing, events), deliveries, told(folder))


def dead_letters(connection: Connection) -> list[str]:
    """What was refused, and why: most of what is lost is found here. The first few."""
    query = "select topic, source, reason, detail from dead_letter order by letter_id limit 5"
    return [": ".join(map(str, row)) for row in _rows(connection, query)]


def stored_uplinks(settings: Settings) -> set[Reading]:
    """Which readings of devices are in the database."""
    with connect(settings.dsn("owner")) as connection:
        rows = _rows(connection, f"{_WATER} where source like 'lora-%'")
        return {(source, station, element, at) for source, station, element, at, _ in rows}


def waiting_deliveries(settings: Settings) -> int:
    with connect(settings.dsn("owner")) as connection:
        ((count,),) = _rows(connection, "select count(*) from delivery where kind = 'alert' and state = 'waiting'")
        return int(count)


def _of(connection: Connection, ends: Ends, domain: str) -> tuple[list[Move], Ends]:
    moves = _rows(connection, "select topic, partition, before, after from chaos_move")
    return (
        [(topic, *rest) for topic, *rest in moves if topic.startswith(domain)],
        {place: end for place, end in ends.items() if place[0].startswith(domain)},
    )


def _rows(connection: Connection, query: str) -> list[Any]:
    return connection.execute(query.encode()).fetchall()
