"""Which water stations does a chaos run have, and what does each say in its n-th minute? Pure, so always the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import cos, tau
from typing import Any

import msgspec

from demo.sources import secret_variable, written
from demo.water import hj212, lorawan, sl651
from demo.water.reports import Report
from schemas.settings import Settings
from schemas.water_registers import Level, SensorHeight, Station, Threshold, WaterRegister

Reading = tuple[str, str, str, datetime]  # source, station, element, observed_at

PROTOCOLS = {"sl651": 5, "hj212": 3, "lora": 4}  # stations of each, at each connector
PASSWORDS = {"sl651": "03E8", "hj212": "chaos1"}
CENTRE = 1
HEIGHT_M = 9.0  # of the sensors that look down
BATTERY = 90
SPIKE_M = 3.5
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
LEVELS: tuple[tuple[Level, float, float], ...] = (
    ("blue", 1.0, 0.9),
    ("yellow", 1.5, 1.4),
    ("orange", 2.0, 1.9),
    ("red", 2.5, 2.4),
)


class Post(msgspec.Struct, frozen=True):
    """A station and the connector at which it reports."""

    connector: int
    protocol: str
    number: int  # of all stations

    @property
    def source(self) -> str:
        return f"{self.protocol}-{self.connector}"

    @property
    def address(self) -> str:
        """As its protocol writes it."""
        if self.protocol == "sl651":
            return f"00{self.number:08d}"
        return f"CHAOS{self.number:09d}" if self.protocol == "hj212" else f"24e124{self.number:010x}"

    @property
    def station_id(self) -> str:
        return f"{self.source}-{self.number}"


class Said(msgspec.Struct, frozen=True):
    """One message and the readings that must come of it."""

    report: Report
    readings: dict[Reading, float]


def posts() -> list[Post]:
    kinds = [(connector, protocol) for connector in (1, 2) for protocol in PROTOCOLS]
    every = [kind for kind in kinds for _ in range(PROTOCOLS[kind[1]])]
    return [Post(connector, protocol, number) for number, (connector, protocol) in enumerate(every, start=1)]


def level_m(post: Post, minute: int) -> float:
    """Waves that cross one to four levels, or none, each station's of its own length; now and then a spike."""
    length, top = 45 + 7 * (post.number % 6), 0.7 + 0.25 * (post.number % 9)
    wave = 0.3 + (top - 0.3) * (1 - cos(tau * minute / length)) / 2
    noise = (-0.003, 0.0, 0.002)[minute * 7 % 3]
    spike = SPIKE_M if (minute + post.number) % 41 == 40 else 0.0
    return round(wave + noise + spike, 3)


def said(post: Post, begin: datetime, minute: int) -> Said:
    """The message of a minute. `begin` is a whole minute."""
    at = begin + timedelta(minutes=minute)
    level = level_m(post, minute)
    if post.protocol == "sl651":
        return Said(_sl651(post, at, minute, level), _readings(post, at, level_m=level, voltage_v=_voltage(minute)))
    if post.protocol == "hj212":
        data = hj212.message(post.address, PASSWORDS["hj212"], at, at, level, "N")
        return Said(Report(hj212.qn(at), data), _readings(post, at, level_m=level))
    distance = round(HEIGHT_M - level, 3)
    data = lorawan.ultrasonic(distance, BATTERY)
    event = lorawan.uplink(post.address, "EM500-UDL", f"gw-{post.connector}", minute % 65_536, at, data)
    report = Report(f"{post.address}/{minute}", event)
    return Said(report, _readings(post, at, distance_m=distance, battery_pct=float(BATTERY)))


def _sl651(post: Post, at: datetime, minute: int, level: float) -> Report:
    serial = minute % 65_535 + 1
    data = sl651.report(
        function=sl651.TIMED,
        address=post.address,
        password=PASSWORDS["sl651"],
        centre=CENTRE,
        serial=serial,
        category=sl651.RIVER,
        sent_at=at,
        observed_at=at,
        elements=[sl651.level(level), sl651.voltage(_voltage(minute))],
    )
    return Report(f"{sl651.TIMED:02X}/{serial}", data)


def _voltage(minute: int) -> float:
    return round(11.5 + minute % 100 / 100, 2)


def _readings(post: Post, at: datetime, **values: float) -> dict[Reading, float]:
    return {(post.source, post.address, element, at): value for element, value in values.items()}


def register() -> WaterRegister:
    found = posts()
    return WaterRegister(
        stations=tuple(_station(post) for post in found),
        heights=tuple(
            SensorHeight(station_id=post.station_id, height_m=HEIGHT_M, valid_from=SINCE)
            for post in found
            if post.protocol == "lora"
        ),
        thresholds=tuple(
            Threshold(
                station_id=post.station_id, hazard="flood", element="level_m", level=level, on=on, off=off,
                confirm=post.number % 2, confirm_max_s=300.0, hold_min=6.0, source="chaos", valid_from=SINCE,
            )
            for post in found
            for level, on, off in LEVELS
        ),
    )  # fmt: skip


def _station(post: Post) -> Station:
    return Station(
        station_id=post.station_id, valid_from=SINCE, source=post.source, station=post.address, name_zh=post.station_id,
        name_en=post.station_id, kind="river", lat=22.55, lon=114.12, cadence_s=60.0, range_low=-1.0, range_high=8.0,
        rate_limit_per_min=0.4, centre=CENTRE if post.protocol == "sl651" else None,
    )  # fmt: skip


def ports(settings: Settings, connector: int) -> dict[str, int]:
    """Where the stations of a connector dial."""
    first = settings.ports.demo + 2 * connector
    return {"sl651": first, "hj212": first + 1}


def sources(settings: Settings, connector: int) -> str:
    """The [[source]] tables of a connector. TOML."""
    at = ports(settings, connector)
    devices = [post.address for post in posts() if post.connector == connector and post.protocol == "lora"]
    common = {"topic": "water.readings", "time_zone": "Asia/Shanghai"}
    codes = {"codes": {hj212.LEVEL: {"element": "level_m", "scale": 0.001}}}
    tables: list[dict[str, Any]] = [
        {"decoder": "sl651", "transport": "tcp", "port": at["sl651"], "secret": "chaos-sl651"},
        {"decoder": "hj212", "transport": "tcp", "port": at["hj212"], "secret": "chaos-hj212", "options": codes},
        {"decoder": "chirpstack", "transport": "mqtt", "topics": [lorawan.topic(device) for device in devices]},
    ]
    return "\n".join(
        written({"name": f"{protocol}-{connector}", **table, **common})
        for protocol, table in zip(PROTOCOLS, tables, strict=True)
    )


def environ() -> Mapping[str, str]:
    return {secret_variable(f"chaos-{protocol}"): word for protocol, word in PASSWORDS.items()}
