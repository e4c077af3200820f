"""What does a station send at a minute? Its measurement, as its failure leaves it, in its protocol's words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec

from demo.draws import between, draw
from demo.water import hj212, lorawan, sl651
from demo.water.failures import failure_of, stuck_since_min
from demo.water.hydrology import level_m, rain_total_mm
from demo.water.network import CENTRE, Station
from demo.water.storm import Storm

MINUTE = timedelta(minutes=1)
UNSET = datetime(2059, 1, 1, tzinfo=sl651.LOCAL)  # what a clock says that was never set
LONGEST = 800  # values of one answer: a frame has 4095 bytes
_SPIKE_M = 6.0
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class Report(msgspec.Struct, frozen=True):
    """One message. `key` is what its answer names it by; `waits`: it is not sent before its line is back."""

    key: str
    data: bytes
    waits: bool = False


class Measured(msgspec.Struct, frozen=True):
    at: datetime
    value: float | None
    failure: str | None


def measured(station: Station, minute: datetime, storm: Storm | None) -> Measured | None:
    """What its sensor says of a whole minute; None: it is dead."""
    storm_min = None if storm is None else storm.minute(minute)
    failure = failure_of(station, storm_min, _number(minute))
    if failure == "silent":
        return None
    if failure == "no_value":
        return Measured(minute, None, failure)
    seen = minute
    if failure == "stuck" and storm is not None and storm_min is not None:
        seen = minute - MINUTE * ((storm_min - stuck_since_min(station)) / storm.factor)
    value = rain_total_mm(station, seen, storm) if station.kind == "rain" else level_m(station, seen, storm)
    if failure == "spikes":
        value += _SPIKE_M if station.kind != "underpass" else _SPIKE_M / 2
    return Measured(minute, value, failure)


def report(
    station: Station, minute: datetime, storm: Storm | None, password: str, *, is_clock_set: bool = False
) -> Report | None:
    """The message of a station for a whole minute; None: it sends none. `is_clock_set`: by the server, since."""
    found = measured(station, minute, storm)
    if found is None:
        return None
    if found.failure == "clock" and is_clock_set:
        found = Measured(found.at, found.value, None)
    if station.device == "sl651":
        return _sl651(station, found, storm, password)
    if station.device == "hj212":
        return _hj212(station, found, password)
    return _lorawan(station, found)


def kept(
    station: Station, minutes: Sequence[datetime], now: datetime, storm: Storm | None, password: str
) -> list[Report]:
    """What its logger kept of minutes that are over, sent `now`: SL 651 in one report of a period. LoRa keeps none."""
    if station.device == "hj212":
        said = [report(station, minute, storm, password) for minute in minutes]
        return [each for each in said if each is not None]
    if station.device != "sl651" or not minutes:
        return []
    serial, body = serial_of(minutes[0]), _series(station, minutes, 1, storm)
    data = sl651.frame(sl651.UNIFORM, station.address, password, CENTRE, serial, now, body)
    return [Report(f"{sl651.UNIFORM:02X}/{serial}", data)]


def answer(
    station: Station, question: sl651.Downlink, now: datetime, storm: Storm | None, password: str
) -> bytes | None:
    """What an SL 651 station answers to a question: its value now, those of a period, or that its clock is set."""
    minute = now.replace(second=0, microsecond=0)
    body: bytes | None = b""
    if question.function == sl651.PERIOD:
        body = _period(station, question.body, minute, storm)
    elif question.function in (sl651.REAL_TIME, sl651.CHOSEN):
        body = _series(station, [minute], 0, storm)
    elif question.function != sl651.SET_CLOCK:
        return None
    if body is None:
        return None
    return sl651.frame(question.function, station.address, password, CENTRE, question.serial, now, body)


def _period(station: Station, asked: bytes, now: datetime, storm: Storm | None) -> bytes | None:
    """From hour to hour in steps, as far as it has come; None: the question makes no sense."""
    try:
        since, until = sl651.hour_of(asked[:4]), sl651.hour_of(asked[4:8]) + timedelta(hours=1)
        days, hours, minutes = (int(f"{byte:02x}") for byte in asked[10:13])
    except ValueError:
        return None
    step_min = max(days * 1440 + hours * 60 + minutes, 1)
    count = max(int((min(until, now) - since) / timedelta(minutes=step_min)) + 1, 0)
    minutes_asked = [since + timedelta(minutes=step_min * place) for place in range(min(count, LONGEST))]
    return _series(station, minutes_asked, step_min, storm) if minutes_asked else None


def _series(station: Station, minutes: Sequence[datetime], step_min: int, storm: Storm | None) -> bytes:
    """What it kept; where it was dead it has no value."""
    element = sl651.rain_total if station.kind == "rain" else sl651.level
    found = [measured(station, minute, storm) for minute in minutes]
    values = [element(None if each is None else each.value) for each in found]
    return sl651.series(station.address, category_of(station), minutes[0], step_min, values)


def category_of(station: Station) -> str:
    return {"rain": sl651.RAIN, "reservoir": sl651.RESERVOIR}.get(station.kind, sl651.RIVER)


def serial_of(minute: datetime) -> int:
    """1 .. 65535, and again."""
    return _number(minute) % 65535 + 1


def _sl651(station: Station, found: Measured, storm: Storm | None, password: str) -> Report:
    at = found.at
    is_wrong = found.failure == "clock"
    told_at = UNSET + (at - at.replace(hour=0, minute=0)) if is_wrong else at
    is_hour = station.kind == "rain" and at.minute == 0 and not is_wrong
    elements = [sl651.voltage(round(between(12.1, 13.2, "volt", station.number), 2))]
    if station.kind == "rain":
        begin = _day_start(at)
        since = None if found.value is None else found.value - rain_total_mm(station, begin, storm)
        elements.insert(0, sl651.rain_total(found.value))
        if since is not None:
            elements.insert(0, sl651.rain_since_day_start(round(since, 1)))
    else:
        elements.insert(0, sl651.level(found.value))
    function = sl651.HOURLY if is_hour else sl651.TIMED
    serial = serial_of(at)
    data = sl651.report(
        function=function,
        address=station.address,
        password=password,
        centre=CENTRE,
        serial=serial,
        category=category_of(station),
        sent_at=told_at + timedelta(seconds=station.second),
        observed_at=told_at,
        elements=elements,
        five_minutes_mm=_five_minutes(station, at, storm) if is_hour else (),
    )
    return Report(f"{function:02X}/{serial}", data, found.failure == "line_down")


def _five_minutes(station: Station, at: datetime, storm: Storm | None) -> list[float]:
    totals = [rain_total_mm(station, at - MINUTE * 5 * step, storm) for step in range(12, -1, -1)]
    return [round(after - before, 1) for before, after in pairwise(totals)]


def _hj212(station: Station, found: Measured, password: str) -> Report:
    sent_at = found.at + timedelta(seconds=station.second)
    told_at = found.at if found.failure != "clock" else UNSET
    flag = "D" if found.value is None else "N"
    data = hj212.message(station.address, password, sent_at, told_at, found.value, flag)
    return Report(hj212.qn(sent_at), data, found.failure == "line_down")


def _lorawan(station: Station, found: Measured) -> Report:
    battery = 100 - int(draw("battery", station.number) * 60)
    counter = _number(found.at) % 65536
    sent_at = found.at + timedelta(seconds=station.second)
    waits = found.failure == "line_down"
    if station.device == "EM500-SWL":
        data = lorawan.submersible(found.value or 0.0, battery)
    else:
        distance = None if found.value is None else station.height_m - found.value
        if distance is not None and distance < 0:
            distance = None  # under water it hears nothing
        if waits and distance is not None:
            data = lorawan.stored(found.at, distance)
        elif station.device == "EM400-MUD":
            celsius = between(22.0, 27.0, "celsius", station.number)
            data = lorawan.multi(distance, battery, celsius, is_tilted=found.failure == "tilt")
        else:
            data = lorawan.ultrasonic(distance, battery)
    told = lorawan.uplink(station.address, station.device, station.gateway or "", counter, sent_at, data)
    return Report(f"{station.address}/{counter}", told, waits)


def _day_start(at: datetime) -> datetime:
    """08:00 of the hydrological day that a time belongs to."""
    local = at.astimezone(sl651.LOCAL)
    begin = local.replace(hour=8, minute=0, second=0, microsecond=0)
    return begin if begin <= local else begin - timedelta(days=1)


def _number(minute: datetime) -> int:
    return int((minute - _EPOCH).total_seconds() // 60)
