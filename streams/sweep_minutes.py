"""The next minute, and the late ones once more when the log has passed them. One transaction each.

A minute that was computed late is computed again once every clock has passed it. When it comes out otherwise it is a
new revision, and so are the minutes after it for as long as they come out otherwise: in the end the stored minutes are
those that the log alone would have made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from schemas.minute import LotMinute, MinuteRun, SourceMinute
from schemas.settings import Settings
from schemas.topics import PARKING_OBSERVATIONS, SOURCES_HEALTH
from sql.connect import Connection
from sql.named import named
from sql.registers import read_database
from streams.alerts import store as alerts
from streams.alerts.episodes import step
from streams.parking import dead, forecast_store, minute_store, movement_store, returns_store
from streams.parking.due import HOLE, MINUTE, Clocks, Pace, beyond_hole, due, has_passed, next_minute, watch
from streams.parking.minute import Beside, MinuteResult, content, minute
from streams.parking.minute_store import Written
from streams.parking.movement import Rates
from streams.parking.register_view import RegisterView, lot_at, view_of
from streams.parking.returns import quarter, returns, spans
from streams.sources.silence import Judged
from streams.sources.store import judged_at
from streams.sweep_sources import Sources

TOPICS = {topic.name: topic.partitions for topic in (PARKING_OBSERVATIONS, SOURCES_HEALTH)}
REVISE = "revise"  # the sweep_progress of a chain of revisions: the minute it goes on with

_SOURCES = named("sources")


class Computed(msgspec.Struct, frozen=True):
    run: MinuteRun
    is_written: bool  # a minute that came out the same again is not written again


class Minutes:
    """The settings, and what is cached between minutes: the register by its version, the rates by the day."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sources = Sources.of(settings)
        self._zone = ZoneInfo(settings.district.time_zone)
        self._grace = timedelta(seconds=settings.parking.minute_grace_s)
        self._bound = timedelta(hours=settings.sweeps.catchup_hours)
        self._revisable = timedelta(minutes=settings.sweeps.revise_minutes)
        self._pace = Pace()
        self._view: RegisterView | None = None
        self._rates: tuple[date, dict[str, list[float | None]]] | None = None
        self._returns: tuple[tuple[datetime, int], Mapping[str, int]] | None = None
        self._settled: set[datetime] = set()  # late minutes that came out the same again
        self.newest: datetime | None = None

    def compute_next(self, connection: Connection, wall: datetime) -> Computed | None:
        """Compute the next minute if it is due."""
        with connection.transaction():
            clocks = minute_store.clocks(connection, TOPICS)
            newest = minute_store.newest_run(connection)
            last = self.newest = None if newest is None else newest.minute
            first = minute_store.first_heard(connection) or clocks.least if last is None else None
            wanted, jumped = next_minute(last, first, wall, self._bound)
            self._pace = watch(self._pace, clocks, wanted, wall)
            at = beyond_hole(wanted, self._heard(connection, wanted, wall), self._pace, wall)
            if at is None:
                return None
            jumped = jumped or (wanted if at > wanted else None)
            verdict = due(at, self._pace, wall, self._grace)
            if verdict == "wait":
                return None
            if jumped is not None:
                detail = f"minutes {jumped.isoformat()} .. {(at - MINUTE).isoformat()} were missed and are not computed"
                _SOURCES.add_incident(connection, kind="minute_gap", topic=PARKING_OBSERVATIONS.name, detail=detail)
            before = minute_store.load_lots(connection, newest)
            result = self._minute(connection, at, before, 1)
            seq = self._content_seq(connection, newest) + result.content_changed
            run = self._run(at, 1, clocks, verdict == "late", seq, result)
            minute_store.write(connection, run, result.lots)
            self._alert(connection, at, result)
            if verdict == "on_time":  # what settles a forecast must be the truth
                forecast_store.write_scores(connection, result.settled)
        return Computed(run, True)

    def _alert(self, connection: Connection, at: datetime, result: MinuteResult) -> None:
        names = {}
        for entry in self._registered(connection).lots:
            known = lot_at(entry, at)
            if known is not None:
                names[known[0].lot_id] = (known[0].name_zh, known[0].name_en)
        found, cleared = dead.findings(result.lots, result.quality.sources, names, self._zone)
        alerts.write(connection, step(alerts.active(connection, dead.DOMAIN, [dead.KIND]), found, cleared, at))

    def revise_next(self, connection: Connection, wall: datetime) -> Computed | None:
        """Compute again the earliest minute that may come out otherwise now."""
        with connection.transaction():
            clocks = minute_store.clocks(connection, TOPICS)
            newest = minute_store.newest_run(connection)
            if newest is None or clocks.least is None:
                return None
            since = newest.minute - self._revisable
            self._settled = {settled for settled in self._settled if settled >= since}
            chain = _SOURCES.progress(connection, sweep=REVISE)
            if chain is not None and since <= chain <= newest.minute:
                return self._revise(connection, chain, clocks, newest)
            if chain is not None:
                _SOURCES.clear_progress(connection, sweep=REVISE)
            late = [at for at in minute_store.late_minutes(connection, since, clocks.least) if at not in self._settled]
            return self._revise(connection, late[0], clocks, newest) if late else None

    def learn(self, connection: Connection) -> bool:
        """Learn a day of movement that is over and can no longer be revised, before the minutes need it."""
        with connection.transaction():
            newest = minute_store.newest_run(connection)
            if newest is None:
                return False
            over = (newest.minute - self._revisable - timedelta(hours=1)).astimezone(self._zone).date()
            return movement_store.learn(connection, over + timedelta(days=1), self._zone)

    def _heard(self, connection: Connection, wanted: datetime, wall: datetime) -> datetime | None:
        if wall - wanted <= HOLE:
            return wanted
        heard: datetime | None = _SOURCES.next_report(connection, since=wanted)
        return heard

    def _revise(self, connection: Connection, at: datetime, clocks: Clocks, newest: Written) -> Computed | None:
        stored = minute_store.run_at(connection, at)
        before = minute_store.load_lots(connection, minute_store.run_before(connection, at))
        if stored is None:  # jumped
            _SOURCES.clear_progress(connection, sweep=REVISE)
            return None
        known = minute_store.load_lots(connection, stored)
        result = self._minute(connection, at, before, stored.revision + 1)
        is_late = not has_passed(clocks.least, at)
        seq = self._content_seq(connection, newest)
        if [_without_revision(lot) for lot in result.lots] == [_without_revision(lot) for lot in known]:
            if not is_late:
                self._settled.add(at)
            _SOURCES.clear_progress(connection, sweep=REVISE)
            return Computed(self._run(at, stored.revision, clocks, is_late, seq, result), False)
        changed = [content(lot) for lot in result.lots] != [content(lot) for lot in known]
        run = self._run(at, stored.revision + 1, clocks, is_late, seq + changed, result)
        minute_store.write(connection, run, result.lots)
        _SOURCES.put_progress(connection, sweep=REVISE, at=at + MINUTE)
        return Computed(run, True)

    def _minute(
        self, connection: Connection, at: datetime, before: tuple[LotMinute, ...], revision: int
    ) -> MinuteResult:
        view = self._registered(connection)
        judged = judged_at(connection, at, self._sources.limits)
        return minute(
            at,
            view,
            minute_store.load_latest(connection, at),
            {lot.lot_id: lot for lot in before},
            self._beside(connection, at, judged),
            [_source_minute(one) for one in judged],
            revision,
            minute_store.unregistered(connection, at),
        )

    def _beside(self, connection: Connection, at: datetime, judged: list[Judged]) -> Beside:
        day = at.astimezone(self._zone).date()
        return Beside(
            cadences={one.report.source: one.report.cadence_s for one in judged if one.report.cadence_s is not None},
            recent=minute_store.load_recent(connection, at, self._settings.parking.trend_window_s),
            rates=self._rates_of(connection, day),
            forecasts=forecast_store.load_inputs(connection, at, day),
            returns=self._returns_at(connection, at),
        )

    def _returns_at(self, connection: Connection, at: datetime) -> Mapping[str, int]:
        view = self._registered(connection)
        known_for = (quarter(at), view.version)
        if self._returns is None or self._returns[0] != known_for:
            asked = spans(view, quarter(at))
            self._returns = (known_for, returns(asked, returns_store.load_residents(connection, asked)))
        return self._returns[1]

    def _rates_of(self, connection: Connection, day: date) -> Mapping[str, Rates]:
        if self._rates is None or self._rates[0] != day:
            while movement_store.learn(connection, day, self._zone):
                pass
            self._rates = (day, movement_store.load_rates(connection, day))
        return self._rates[1]

    def _registered(self, connection: Connection) -> RegisterView:
        if self._view is None or self._view.version != minute_store.register_version(connection):
            self._view = view_of(read_database(connection), self._settings.parking, self._settings.district)
        return self._view

    def _content_seq(self, connection: Connection, newest: Written | None) -> int:
        return 0 if newest is None else minute_store.content_seq(connection, newest.minute - self._revisable)

    def _run(
        self, at: datetime, revision: int, clocks: Clocks, is_late: bool, seq: int, result: MinuteResult
    ) -> MinuteRun:
        return MinuteRun(
            minute=at,
            revision=revision,
            computed_at=at,
            clock=clocks.least,
            fences=dict(clocks.fences),
            register_version=0 if self._view is None else self._view.version,
            content_seq=seq,
            is_late=is_late,
            areas=result.areas,
            quality=result.quality,
        )


def _source_minute(one: Judged) -> SourceMinute:
    report = one.report
    return SourceMinute(
        source=report.source,
        state=one.state,
        last_success_at=report.last_success_at,
        newest_observed_at=report.newest_observed_at,
    )


def _without_revision(lot: LotMinute) -> LotMinute:
    return msgspec.structs.replace(lot, revision=0)
