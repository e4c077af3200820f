"""All water stations of the demo: each measures every minute and says so at a second of its own.

On a fresh start each logger first tells what it kept of the last hour: the sums of rain are known from then on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from demo.sources import secret_variable
from demo.water import sl651, sources
from demo.water.gateways import Gateways
from demo.water.lines import Line, Listen, listen_hj212, listen_sl651
from demo.water.network import HJ212, LORA, Station, stations
from demo.water.reports import MINUTE, answer, kept, report
from demo.water.storm import LABEL_EN, Storm

log = logging.getLogger(__name__)

TELL_S = 60.0
KEPT = timedelta(minutes=70)  # before the district began: an hour of rain and what it is counted from
FRESH = timedelta(minutes=5)  # a district that is started again later has told it already


async def run(
    demo_port: int,
    mqtt_port: int,
    environ: Mapping[str, str],
    storm: Storm | None,
    *,
    kept_before: datetime | None = None,
) -> None:
    """Until cancelled. A source whose password is not known says so and is left out.

    `kept_before`: when the district began, if what loggers kept of the time before is to be told.
    """
    ports = sources.ports(demo_port)
    passwords = {source: environ.get(secret_variable(source), "") for source in sources.SOURCES_WITH_SECRETS}
    for source, password in passwords.items():
        if not password:
            log.error("%s sends nothing: %s is not set", source, secret_variable(source))
    heard = [one for one in stations() if one.source == LORA or passwords[one.source]]
    clocks: set[str] = set()  # of stations, that the server has set
    listens = {one.station_id: _listen(one, storm, passwords, clocks) for one in heard if one.source != LORA}
    lines = {one.station_id: Line(ports[one.source], listens[one.station_id]) for one in heard if one.source != LORA}
    gateways = Gateways(mqtt_port)
    if storm is not None:
        log.info("%s; %g times as fast, began %s", LABEL_EN, storm.factor, storm.began.isoformat(timespec="seconds"))
    if kept_before is not None:
        _tell_kept(heard, lines, passwords, storm, kept_before)
    gateways.start()
    try:
        async with asyncio.TaskGroup() as group:
            for line in lines.values():
                group.create_task(line.run())
            group.create_task(_measure(heard, lines, gateways, passwords, storm, clocks))
            group.create_task(_tell(lines, gateways))
    finally:
        gateways.stop()


def _listen(one: Station, storm: Storm | None, passwords: Mapping[str, str], clocks: set[str]) -> Listen:
    if one.source == HJ212:
        return listen_hj212

    def reply(question: sl651.Downlink) -> bytes | None:
        if question.function == sl651.SET_CLOCK:
            clocks.add(one.station_id)
        return answer(one, question, datetime.now(UTC), storm, passwords[one.source])

    return listen_sl651(reply)


def _tell_kept(
    heard: list[Station],
    lines: Mapping[str, Line],
    passwords: Mapping[str, str],
    storm: Storm | None,
    began: datetime,
) -> None:
    """Up to this minute; it waits in each line before what is measured from now on."""
    now = datetime.now(UTC)
    minutes = minutes_kept(began, now)
    for one in heard:
        if one.station_id in lines:
            for said in kept(one, minutes, now, storm, passwords[one.source]):
                lines[one.station_id].say(said)
    log.info("loggers tell what they kept of %d minutes", len(minutes))


def minutes_kept(began: datetime, now: datetime) -> list[datetime]:
    """The whole minutes from 70 before the beginning up to this one; none when it began long ago."""
    if now - began > FRESH:
        return []
    first, this = (at.replace(second=0, microsecond=0) for at in (began - KEPT, now))
    return [first + MINUTE * step for step in range((this - first) // MINUTE)]


async def _measure(
    heard: list[Station],
    lines: Mapping[str, Line],
    gateways: Gateways,
    passwords: Mapping[str, str],
    storm: Storm | None,
    clocks: set[str],
) -> None:
    ordered = sorted(heard, key=lambda one: (one.second, one.number))
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    while True:
        for one in ordered:
            await _sleep_until(minute + timedelta(seconds=one.second))
            password, is_set = passwords.get(one.source, ""), one.station_id in clocks
            said = report(one, minute, storm, password, is_clock_set=is_set)
            if said is None:
                continue
            if one.source == LORA:
                gateways.say(one, said)
            else:
                lines[one.station_id].say(said)
        minute += MINUTE
        await _sleep_until(minute)


async def _tell(lines: Mapping[str, Line], gateways: Gateways) -> None:
    while True:
        await asyncio.sleep(TELL_S)
        log.info(
            "reports safe %d, sent again %d, waiting %d, given up %d; questions answered %d; uplinks taken %d of %d",
            sum(line.sent for line in lines.values()),
            sum(line.again for line in lines.values()),
            sum(line.waiting for line in lines.values()),
            sum(line.given_up for line in lines.values()),
            sum(line.asked for line in lines.values()),
            gateways.taken,
            gateways.said,
        )


async def _sleep_until(at: datetime) -> None:
    left_s = (at - datetime.now(UTC)).total_seconds()
    if left_s > 0:
        await asyncio.sleep(left_s)
