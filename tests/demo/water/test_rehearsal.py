"""What would be alerted in the demo's storm? Frames of its stations through decoders and folds, with what fails."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.decoding import context_of
from connectors.formats import DECODERS
from demo.water import registers, sources
from demo.water.failures import breakdowns
from demo.water.network import river_stations, underpasses
from demo.water.reports import Report, report
from demo.water.storm import FACTOR, Storm
from schemas.settings import parse
from schemas.water import StationReading
from sql.registers import read_water_files
from streams.water.replay import replay

BEGAN = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
STORM = Storm(began=BEGAN)
PASSWORDS = {"sl651": "03E8", "hj212": "123456"}
DRY_MIN, WET_MIN = 20, 60


def test_the_storm_is_alerted_and_what_fails_raises_nothing_false() -> None:
    tables = {source.name: source for source in parse(sources.toml(8100)).sources}
    heard = sorted((*river_stations(), *underpasses()), key=lambda one: (one.second, one.number))
    rows: list[StationReading] = []
    waiting: dict[str, list[Report]] = {}
    for step in range(-DRY_MIN, WET_MIN):
        minute = BEGAN + timedelta(minutes=step)
        for one in heard:
            said = report(one, minute, STORM if step >= 0 else None, PASSWORDS.get(one.device, ""))
            if said is None:
                continue
            waiting.setdefault(one.station_id, []).append(said)
            if said.waits:
                continue
            for each in waiting.pop(one.station_id):
                source = tables[one.source]
                data = each.data.hex().upper().encode() if source.decoder == "sl651" else each.data
                found = DECODERS[source.decoder](data, context_of(source, minute + timedelta(seconds=one.second + 1)))
                assert found.rejects == []
                rows += [row for row in found.rows if isinstance(row, StationReading)]
    told = replay(rows, read_water_files(registers.files(FACTOR))[0], ZoneInfo("Asia/Shanghai"))
    raised = Counter((rise.station.split("-")[0], rise.level) for rise in told.rises)
    assert not any(rise.withdrawn for rise in told.rises)
    assert told.flapped == 0
    assert raised["rv", "red"] >= 15
    assert raised["up", "red"] >= 3
    assert all(rise.raised_at >= BEGAN for rise in told.rises)
    spiked = {name for name, each in breakdowns().items() if each.failure == "spikes"}
    dry = {one.station_id for one in underpasses()} - {rise.station for rise in told.rises}
    assert dry
    assert len([rise for rise in told.rises if rise.station in spiked]) <= 4 * len(spiked)
