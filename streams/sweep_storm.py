"""What is shown of a minute of a storm? Kept while one is on, and once more when it is over. A part of the sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo

from schemas.storm import Machine
from schemas.water_registers import Station, WaterRegister
from sql.connect import Connection
from streams.water import rain_store, storm_store
from streams.water.gauges import Samples
from streams.water.network import judged_keys
from streams.water.rain import Areal
from streams.water.rules import SeriesKey, SeriesRules, micros
from streams.water.storm import storm_reasons, storm_view
from streams.water.storm_assets import assets_of, pace_window, stations_at


def show(
    connection: Connection,
    minute: datetime,
    register: WaterRegister,
    rules: Mapping[SeriesKey, SeriesRules],
    means: Mapping[str, Mapping[int, Areal]],
    machines: Sequence[Machine],
    zone: tzinfo,
) -> None:
    """The dangers of this minute are written already."""
    storm_store.put_progress(connection, minute)
    if not storm_reasons(means) and not storm_store.was_active(connection, minute):
        return
    now = micros(minute)
    stations = stations_at(register, minute)
    keys = judged_keys(stations.values(), rules)
    assets = assets_of(
        register,
        stations,
        keys,
        rules,
        storm_store.load_hazards(connection),
        _last_samples(connection, minute, stations, keys),
        means,
        now,
    )
    view = storm_view(assets, means, now, zone, register.basins, machines)
    storm_store.put_view(connection, view)


def _last_samples(
    connection: Connection,
    minute: datetime,
    stations: Mapping[str, Station],
    keys: Mapping[str, Iterable[SeriesKey]],
) -> dict[SeriesKey, Samples]:
    """Those that tell the pace of the water."""
    numbers = rain_store.load_numbers(connection, [key for own in keys.values() for key in own])
    by_window: dict[int, list[int]] = {}
    for station_id, own in keys.items():
        for key in own:
            if key in numbers:  # twice: a station that is somewhat late still has a pace
                by_window.setdefault(2 * pace_window(stations[station_id]), []).append(numbers[key])
    key_of = {number: key for key, number in numbers.items()}
    found: dict[SeriesKey, Samples] = {}
    for window, some in sorted(by_window.items()):
        said = rain_store.load_samples(connection, sorted(some), micros(minute) - window, minute, minute)
        found |= {key_of[number]: each.samples for number, each in said.items()}
    return found
