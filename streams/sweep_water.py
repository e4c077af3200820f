"""What happens to water because time passes? One transaction for each minute of the log, in the order of its steps.

Rain is summed; stuck sensors are found; stations fall silent and come back; who has not answered is told again;
forecasts expire; what is said of each asset is written down. A minute is judged when the clocks of all partitions have
passed it, from what had been received up to it: catching up hours finds nobody silent who was not. Silence ends no
danger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from zoneinfo import ZoneInfo

import psycopg
from prometheus_client import Gauge, Histogram

from schemas.settings import Settings
from schemas.topics import SOURCES_HEALTH, WATER_READINGS
from sql.connect import Connection
from sql.named import named
from sql.registers import read_water
from streams.alerts import store as alerts
from streams.alerts.episodes import Change, step
from streams.parking.due import MINUTE, ceil_minute
from streams.sweep_rain import Weather
from streams.sweep_sources import clock_of
from streams.sweep_stuck import follow
from streams.water import asking_store, doubts, doubts_store, suspects, sweep_store
from streams.water.expiry import expiries
from streams.water.forecast import Outlook
from streams.water.hazards import HazardRow, Key, Situation, rows
from streams.water.knowledge import NETWORK, OFFLINE, Judged, SilenceLimits, findings, judge
from streams.water.listening import watching_since
from streams.water.reminders import reminders
from streams.water.rules import ALWAYS, SeriesKey, micros
from streams.water.standing import Standing, dangers, forecasts, stations_of_network, strangers, withdrawn
from streams.water.watched import Good, Newest, Stations, Watched, heard_later, keys_of, known_of

STATIONS = Gauge("citysense_water_stations", "Water stations of the newest judged minute", ["knowledge"])
HAZARDS = Gauge("citysense_water_hazards", "Assets and hazards of the newest judged minute", ["level"])
LAG = Gauge("citysense_water_minute_lag_seconds", "Wall minus the newest judged minute of water")
SECONDS = Histogram(
    "citysense_water_minute_seconds", "Time to judge a minute of water", buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60)
)

_SQL = named("sources")
SWEEP: Final = "water"
LISTENING: Final = "water_listening"  # its progress: since when the log speaks without a hole
ATTEMPTS: Final = 5  # a fold that changed the same alert meanwhile goes first
_OVERTAKEN: Final = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
PATIENCE: Final = timedelta(minutes=2)
STILL_SENDS: Final = timedelta(hours=1)
LEVELS: Final = range(5)
KNOWLEDGE: Final = ("ok", "suspect", "stale", "offline", "never")


class Water:
    """What the sweep knows from the settings, the register by its version, and the rows as they were written last."""

    def __init__(self, settings: Settings) -> None:
        water = settings.water
        self.limits = SilenceLimits(
            factor=water.silent_factor,
            least_s=water.silent_min_s,
            factor_in_rain=water.silent_factor_in_rain,
            least_in_rain_s=water.silent_min_in_rain_s,
        )
        self.raining_mm = water.raining_mm_1h
        self.zone = ZoneInfo(settings.district.time_zone)
        self.catchup = timedelta(hours=settings.sweeps.catchup_hours)
        self.blind = timedelta(seconds=settings.sweeps.blind_s)
        self.askable = asking_store.askable(settings)
        self.weather = Weather(self.zone)
        self.newest: datetime | None = None
        self._stations: tuple[int, Stations] | None = None
        self._rows: dict[Key, HazardRow] | None = None

    def stations(self, connection: Connection) -> Stations:
        version = sweep_store.register_version(connection)
        if self._stations is None or self._stations[0] != version:
            self._stations = (version, Stations(read_water(connection)))
        return self._stations[1]

    def rows(self, connection: Connection) -> dict[Key, HazardRow]:
        if self._rows is None:
            self._rows = sweep_store.load_hazards(connection)
        return self._rows

    def forget(self) -> None:
        """A transaction failed: what the database says is true."""
        self._rows = None
        self.weather.forget()

    def keep(self, minute: datetime, now: Sequence[HazardRow]) -> None:
        self.newest = minute
        self._rows = {(each.station_id, each.hazard): each for each in now}


def judge_next(connection: Connection, water: Water) -> datetime | None:
    """Judge the next minute of the log that all clocks have passed; None when there is none yet."""
    clock = _clock(connection)
    if clock is None:
        return None
    for attempt in range(ATTEMPTS):
        began = monotonic()
        try:
            with connection.transaction():
                minute = _next(connection, water, clock)
                if minute is None:
                    return None
                now = _judge(connection, water, minute)
                _SQL.put_progress(connection, sweep=SWEEP, at=minute)
        except _OVERTAKEN:
            water.forget()
            if attempt + 1 == ATTEMPTS:
                raise
            continue
        except BaseException:
            water.forget()
            raise
        water.keep(minute, now)
        SECONDS.observe(monotonic() - began)
        _count(now)
        return minute
    return None


def _clock(connection: Connection) -> datetime | None:
    """The least clock of the readings, and of the reports by which holes of the log are known: they are not waited for
    longer than a little, and then nobody is found silent or well."""
    readings, reports = clock_of(connection, WATER_READINGS.name), clock_of(connection, SOURCES_HEALTH.name)
    if readings is None or reports is None:
        return readings
    return max(min(readings, reports), readings - PATIENCE)


def _next(connection: Connection, water: Water, clock: datetime) -> datetime | None:
    last = _SQL.progress(connection, sweep=SWEEP)
    if last is None:
        first = sweep_store.first_reading(connection)
        if first is None:
            return None
        last = ceil_minute(first) - MINUTE
    minute: datetime = max(last + MINUTE, ceil_minute(clock - water.catchup))
    if minute >= clock:
        return None
    if minute > last + MINUTE:
        _SQL.clear_progress(connection, sweep=LISTENING)  # nobody looked for holes in what is jumped
    return minute


def _judge(connection: Connection, water: Water, minute: datetime) -> list[HazardRow]:
    stations = water.stations(connection)
    water.weather.rain_and_pipes(connection, minute, stations.register)
    watched = stations.at(minute)
    before = water.rows(connection)
    standing = sweep_store.load_standing(connection, minute)
    of_network = stations_of_network(stations.register)
    in_danger = dangers(standing, watched, of_network)
    raining = sweep_store.load_raining(connection, _rain_subjects(watched), minute)
    near = doubts.neighbours_of(stations.register)
    lines = follow(connection, minute, watched, near, raining, before, water.zone)
    newest = sweep_store.load_newest(connection, keys_of(watched.values()), minute)
    judged = _known(connection, water, minute, watched, newest, before, in_danger, raining)

    of_silence = [each.alert for each in standing if each.alert.subject.kind in (OFFLINE, NETWORK)]
    found, cleared = findings(judged, [alert.subject for alert in of_silence], micros(minute), water.zone)
    projected = forecasts(standing)
    outlooks = _outlooks(connection, stations, projected, before)
    expired = expiries(projected, outlooks, {name: each.rules for name, each in watched.items()}, micros(minute))
    left = strangers(standing, watched, of_network)
    changes = [
        *step(of_silence, found, cleared, minute),
        *reminders([each for each in standing if each not in left], minute),
        *expired.changes,
        *_retired(stations, left, of_network, minute),
    ]
    situation = Situation(
        minute=minute,
        newest=newest,
        dangers=in_danger,
        forecasts={key: each for key, each in projected.items() if key not in expired.over},
        outlooks=outlooks,
        lines=lines,
        rain_1h_mm={subject: mm for (subject, is_areal), mm in raining.items() if not is_areal},
        before=before,
    )
    now = rows(watched, judged, situation)
    changes += _unconfirmed(connection, water, minute, stations, watched, newest, in_danger)
    keys = {(each.station_id, each.hazard) for each in now}
    changed = [each for each in now if before.get((each.station_id, each.hazard)) != each]
    sweep_store.write_hazards(connection, changed, before.keys() - keys, minute)
    alerts.write(connection, changes)
    water.weather.storm(connection, minute, stations.register)
    return now


def _unconfirmed(
    connection: Connection,
    water: Water,
    minute: datetime,
    stations: Stations,
    watched: Mapping[str, Watched],
    newest: Mapping[SeriesKey, Newest],
    in_danger: Mapping[Key, Standing],
) -> list[Change]:
    """What a single sample says that nothing has confirmed in time, and what a device doubts itself."""
    active = {alert.subject: alert for alert in alerts.active(connection, "water", doubts.KINDS)}
    levels = {key: each.alert.level for key, each in in_danger.items()}
    spoken = doubts_store.load_spoken(connection, suspects.undecided(watched, newest, active, minute), minute)
    of_device = suspects.doubted(watched, spoken, active, levels, minute)
    asking_store.ask(connection.cursor(), suspects.to_ask(of_device, active), minute, water.askable)
    found, cleared = doubts.findings(
        [*doubts_store.open_at(connection, minute), *of_device],
        active,
        levels,
        doubts.neighbours_of(stations.register),
        {name: each.rules for name, each in watched.items()},
        minute,
        water.zone,
    )
    if minute.minute == 0:
        doubts_store.drop_old(connection, minute)
    return step(active.values(), found, cleared, minute)


def _retired(
    stations: Stations, left: Sequence[Standing], of_network: Mapping[str, str], minute: datetime
) -> list[Change]:
    """A station that is withdrawn may send for a while still; what it sends ends its alerts in better words."""
    if not left:
        return []
    gone = strangers(left, stations.at(minute - STILL_SENDS), of_network)
    alerts_left = [each.alert for each in gone if each.is_newest]
    return step(alerts_left, [], [withdrawn(each) for each in gone], minute)


def _known(
    connection: Connection,
    water: Water,
    minute: datetime,
    watched: Mapping[str, Watched],
    newest: Mapping[SeriesKey, Newest],
    before: Mapping[Key, HazardRow],
    in_danger: Mapping[Key, Standing],
    raining: Mapping[tuple[str, bool], float],
) -> list[Judged]:
    """What is known of every station."""
    levels: dict[str, int] = {}
    for (station_id, _), each in in_danger.items():
        levels[station_id] = max(levels.get(station_id, 0), each.alert.level)
    remembered = {
        each.station_id: Good(micros(each.observed_at), each.value)
        for each in before.values()
        if each.value is not None
        and each.observed_at is not None
        and each.station_id in watched
        and each.state.get("element") == watched[each.station_id].rules.element
    }
    known = known_of(watched, newest, remembered, levels, raining, water.raining_mm)
    now, watching = micros(minute), _listening(connection, water, minute)
    judged = [judge(each, now, water.limits, watching) for each in known]
    silent = [each.known for each in judged if each.state == "offline" or each.is_held]
    if not silent:
        return judged
    asked = {
        (watched[each.rules.station_id].station.source, watched[each.rules.station_id].station.station)
        for each in silent
    }
    heard = sweep_store.load_heard(connection, asked, minute)
    return [judge(each, now, water.limits, watching) for each in heard_later(known, watched, heard)]


def _listening(connection: Connection, water: Water, minute: datetime) -> int:
    """Since when the log speaks without a hole, as the reports of the sources say."""
    if _SQL.first_report(connection) is None:  # nobody keeps them
        return ALWAYS
    before = _SQL.progress(connection, sweep=LISTENING)
    since = minute - MINUTE - water.blind
    times = [row[0] for row in _SQL.report_times(connection, after=since, at=minute)]
    watching = watching_since(before, times, since, minute, water.blind)
    if watching != before:
        _SQL.put_progress(connection, sweep=LISTENING, at=watching)
    return micros(watching)


def _outlooks(
    connection: Connection, stations: Stations, projected: Mapping[Key, Standing], before: Mapping[Key, HazardRow]
) -> dict[Key, Outlook]:
    """What the folds remember of the forecasts that stand, and of those that stood a minute ago."""
    wanted = {*projected, *(key for key, row in before.items() if row.forecast_level)}
    if not wanted:
        return {}
    names = {station_id for station_id, _ in wanted}
    keys = [key for key, rules in stations.rules.items() if rules.station_id in names]
    return {
        (stations.rules[key].station_id, hazard): outlook
        for key, kept in sweep_store.load_kept(connection, keys).items()
        for hazard, outlook in kept.outlooks.items()
    }


def _rain_subjects(watched: Mapping[str, Watched]) -> set[str]:
    gauges = {station_id for station_id, each in watched.items() if each.station.kind == "rain"}
    return gauges | {each.station.basin_id for each in watched.values() if each.station.basin_id is not None}


def _count(now: Sequence[HazardRow]) -> None:
    by_station = {each.station_id: each.knowledge for each in now}
    for word in KNOWLEDGE:
        STATIONS.labels(word).set(sum(1 for each in by_station.values() if each == word))
    for level in LEVELS:
        HAZARDS.labels(str(level)).set(sum(1 for each in now if each.level == level))
