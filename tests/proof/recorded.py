"""The recorded payloads of real feeds (../shared/samples/parking), and what each says of its car parks, read by hand.

They are years old, so what counts there is dead by now: unknown, with the last number that was known. What is closed
stays closed, and what comes without a time of its own is as fresh as its coming.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.processes import ROOT
from tests.proof.lots import Message, Published, Stored, Supply, closed, counted, dead

SAMPLES: Path = ROOT.parent / "shared" / "samples" / "parking"


def _file(name: str, now: datetime, path: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def _polled(name: str, decoder: str, zone: str, file: str, **table: Any) -> Supply:
    return Supply(name=name, decoder=decoder, zone=zone, document=partial(_file, file), table=table)


def _pushed(name: str, decoder: str, *files: str, **table: Any) -> Supply:
    def messages(now: datetime) -> tuple[Message, ...]:
        return tuple(Message(body=(SAMPLES / "cn" / file).read_bytes()) for file in files)

    anyone = {"secret": "", "auth": "none"}  # the vendors' secrets of their examples are not known
    return Supply(name=name, decoder=decoder, zone="Asia/Shanghai", pushes=messages, table=anyone | table)


SUPPLIES = (
    _polled("sg-2021-a", "hdb", "Asia/Singapore",
        "sg/carpark-availability.2021-03-11.duplicates-and-overcapacity.excerpt.json"),
    _polled("sg-2021-b", "hdb", "Asia/Singapore", "sg/carpark-availability.2021-03-23.excerpt.json"),
    _polled("sg-2023", "hdb", "Asia/Singapore", "sg/carpark-availability.2023-09-11.excerpt.json"),
    _polled("sg-lta", "lta", "Asia/Singapore", "sg/lta-CarParkAvailabilityv2.excerpt.json"),
    _polled("hk-api", "hongkong", "Asia/Hong_Kong", "hk/carpark-info-vacancy.spec-example.json"),
    _polled("hk-flat", "hongkong-flat", "Asia/Hong_Kong", "hk/vacancy_all.json"),
    _polled("freiburg", "freiburg", "Europe/Berlin", "de-misc/freiburg.json", crs="EPSG:25832"),
    _polled("heidelberg", "ngsi-v2", "Europe/Berlin", "de-misc/heidelberg.json"),
    _polled("karlsruhe", "karlsruhe", "Europe/Berlin", "de-misc/karlsruhe.json"),
    _polled("npr", "npr", "Europe/Amsterdam", "nl/npr-spdp-dynamic.examples.json"),
    _polled("basel", "opendatasoft", "Europe/Zurich", "ch-opendata/basel.json"),
    _polled("aachen", "datex2", "Europe/Berlin", "de-mobilithek-datex2/aachen-realtime.xml"),
    _polled("stuttgart", "datex2", "Europe/Berlin", "de-mobilithek-datex2/stuttgart-realtime.xml"),
    _polled("bondorf", "datex2", "Europe/Berlin", "de-mobilithek-datex2/vrs_bondorf-realtime.xml",
        options={"ref_until": "["}),
    _polled("mobidata", "parkapi-v3", "UTC", "de-parkapi/parkapi-v3-sites.2026-10-05.json"),
    _pushed("ymzh", "ymzh", "ymzh-shenzhen-B30-space-change-callback.json"),
    _pushed("bolink", "bolink", "bolink-updatepark.request.json"),
    _pushed("bolink-answer", "bolink", "bolink-getparkempty.response.wire.base64.txt", options={"ref": "haidian"}),
    _pushed("tdznyun", "tdznyun", "tdznyun-enterNotify.request.json", "mqtt-manage.parkleft.json"),
    _pushed("tdznyun-answer", "tdznyun", "tdznyun-queryParkInfo.response.json", options={"ref": "test-park"}),
    _pushed("lpr", "lpr", "showdoc-parkingspace.fields.json"),
    _pushed("njytb", "njytb", "njytb-shared-hourly.json", "njytb-shared-monthly-window.json",
        topic="registers.changes"),
)  # fmt: skip

# Items of each payload: rows and dead letters together (counted in the files).
ITEMS: Mapping[str, tuple[int, int]] = {
    "sg-2021-a": (5, 0), "sg-2021-b": (9, 0), "sg-2023": (6, 0), "sg-lta": (5, 0), "hk-api": (10, 0),
    "hk-flat": (665, 0), "freiburg": (19, 0), "heidelberg": (25, 0), "karlsruhe": (90, 0), "npr": (2, 0),
    "basel": (16, 1), "aachen": (17, 0), "stuttgart": (95, 0), "bondorf": (1, 0), "mobidata": (5, 0),
    "ymzh": (3, 0), "bolink": (1, 0), "bolink-answer": (1, 0), "tdznyun": (2, 0), "tdznyun-answer": (1, 0),
    "lpr": (1, 0),
}  # fmt: skip

_SG_A, _SG_C = "2021-03-11T20:19:17+08:00", "2023-09-11T04:21:{}+08:00"
_SG_B = "2021-03-23T21:{}+08:00"
_FREIBURG, _HEIDELBERG = "2024-06-10T10:20:00+02:00", "2024-06-08T13:25:00Z"
_BASEL = "2024-07-28T12:06:00Z"
_P = "urn:ngsiv2:OffStreetParking:P"
_FED: dict[str, Any] = {"basis": "feed"}
_UNTIMED: dict[str, Any] = {"basis": "ingest"}

LOTS: tuple[Published, ...] = (
    dead("sg-2021-a", "K2T", 0, 73, _SG_A, why="Q1 Q19; 0 is a reading", pools={"public": None, "motorcycle": None,
        "hgv": None}),
    Published(source="sg-2021-a", ref="SK24", why="Q3 Q5: 200 of 181, of 2016; no space for cars is known",
              reason="no_public_pool", freshness="dead", at="2016-02-19T11:19:29+08:00", pools={"hgv": None,
            "motorcycle": None}),
    dead("sg-2021-b", "J74M", 43, 91, _SG_B.format("16:47")),
    dead("sg-2021-b", "J69M", 405, 583, _SG_B.format("16:46")),
    dead("sg-2021-b", "Q81", 58, 96, _SG_B.format("17:00")),
    dead("sg-2021-b", "FR3M", 168, 228, _SG_B.format("17:00")),
    dead("sg-2023", "HE11", 62, 95, _SG_C.format("24")),
    dead("sg-2023", "HE12", 97, 98, _SG_C.format("28")),
    dead("sg-2023", "SE14", 0, 46, _SG_C.format("29"), pools={"public": None, "hgv": None, "motorcycle": None}),
    Published(source="sg-2023", ref="KI12", why="Q17: only spaces of kind K, which nobody explains",
        reason="no_public_pool",
              freshness="dead", at=_SG_C.format("26"), pools={"k": None}),
    counted("sg-lta", "1", 1104, why="Q18: no time, no capacity", **_UNTIMED),
    counted("sg-lta", "2", 1091, 1200, pools={"public": 1200}, **_UNTIMED),
    counted("sg-lta", "3", 450, 450, why="Q3: 453 of 450 is within 2 %", flags=("clamped",), pools={"public": 450},
        **_UNTIMED),
    Published(source="sg-lta", ref="4", why="Q3: 448 of 400", reason="invalid", capacity=400, flags=("invalid",),
              pools={"public": 400}, **_UNTIMED),
    counted("sg-lta", "5", 532, **_UNTIMED),
    dead("hk-api", "10", 94, None, "2018-10-02T11:06:21+08:00"),
    dead("hk-api", "12", 155, None, "2018-10-02T11:01:05+08:00", pools={"public": None, "ev": None, "disabled": None,
        "lgv": None}),
    dead("hk-flat", "tdc166p1", 2, None, "2025-11-15T12:39:51+08:00", why="Q21: behind a byte order mark"),
    dead("hk-flat", "tdcp10", 9, None, "2025-11-15T12:39:12+08:00"),
    dead("hk-flat", "tdc6p11", None, None, "2025-11-15T12:40:02+08:00",
        why="Q7: stamped like the others, and no data", flags=("no_data",)),
    dead("hk-flat", "tdc5p3", None, None, "2025-11-15T11:49:08+08:00", why="Q9: 1 is a flag", mode="flag"),
    closed("hk-flat", "tdc10p2", why="Q9: type C", freshness="dead", at="2025-06-28T00:17:11+08:00"),
    closed("hk-flat", "tdc37p1", freshness="dead", at="2021-09-28T11:20:08+08:00"),
    dead("freiburg", "13", 56, 105, _FREIBURG, why="Q1 Q8 Q19 Q24", **_FED),
    dead("freiburg", "18", 29, 164, _FREIBURG, **_FED),
    dead("freiburg", "9", None, None, _FREIBURG, why="Q16: 0 of 0", flags=("unknown_status", "placeholder_capacity"),
        **_FED),
    dead("heidelberg", f"{_P}00", 1, 39, _HEIDELBERG, **_FED),
    dead("heidelberg", f"{_P}02", None, None, _HEIDELBERG, why="Q11 Q16: Stoerung 0 of 0",
        flags=("placeholder_capacity", "fault"), **_FED),
    dead("heidelberg", f"{_P}03", None, 140, _HEIDELBERG, why="Q11: Stoerung 0 of 140 is not full", flags=("fault",),
        **_FED),
    dead("heidelberg", f"{_P}05", 0, 129, _HEIDELBERG, **_FED),
    dead("heidelberg", f"{_P}23", None, None, _HEIDELBERG, why="Q2 Q16: -8 of 1", flags=("placeholder_capacity",
        "drift"), **_FED),
    dead("karlsruhe", "1", 16, 59, "2024-11-27T18:39:00Z", **_FED),
    closed("karlsruhe", "3", 250, why="Q10: Geschlossen 226 of 250", freshness="dead", at="2024-11-27T18:39:00Z",
        flags=("closed_with_spaces",), **_FED),
    Published(source="karlsruhe", ref="4", why="no sensor: null is no number", reason="no_number", capacity=50,
        **_UNTIMED),
    dead("karlsruhe", "54", None, 495, "2024-11-27T18:35:00Z", why="Q12: Störung 255 of 495", flags=("fault",),
        **_FED),
    dead("karlsruhe", "59", None, 392, "2024-11-27T18:35:00Z", why="Q12: Störung 392 of 392", flags=("fault",),
        **_FED),
    dead("karlsruhe", "62", 0, 52, "2024-11-27T18:35:00Z", **_FED),
    dead("npr", "cea4cffe-158c-4b08-b940-5d5eefeba089", 35, 350, "2025-01-19T15:45:49Z", why="Q20: unix seconds"),
    dead("npr", "5829fb06-ee4a-4762-946c-ed6209edf7d5", 30, 30, "2017-11-15T09:41:19Z"),
    dead("basel", "badbahnhof", 286, 750, _BASEL, **_FED),
    dead("basel", "postbasel", 71, 72, _BASEL, **_FED),
    dead("basel", "anfos", None, 162, _BASEL, why="Q3: 167 of 162", flags=("invalid",), **_FED),
    dead("aachen", "P1", 412, 560, "2025-02-07T19:05:34.176Z"),
    dead("aachen", "P16", 80, 305, "2025-02-07T02:15:11.668Z", why="Q5: older than its publication"),
    dead("aachen", "P6", None, None, "2025-02-07T19:08:28.862Z", why="Q16: 624 of 999",
        flags=("placeholder_capacity",)),
    closed("aachen", "P14", 180, why="Q10: spacesAvailable, closed, 180 free", freshness="dead",
        at="2025-02-04T00:11:19.546Z", flags=("closed_with_spaces",)),
    closed("aachen", "P18", 569, why="Q10: 518 free", freshness="dead", at="2025-02-07T19:09:47.21Z",
        flags=("closed_with_spaces",)),
    closed("aachen", "P5", None, why="Q13 Q16: closed 0/0/0, not full", freshness="dead",
        at="2025-02-03T07:53:35.533Z", flags=("placeholder_capacity",)),
    dead("stuttgart", "12717289", 245, None, "2022-02-11T13:16:01Z", why="Q5: 245 free and open, of 2022",
        pools={"public": None, "group_1": None}),
    dead("stuttgart", "12717345", 0, None, "2023-09-23T16:04:00Z", why="was full", pools={"public": None,
        "group_1": None}),
    closed("stuttgart", "12717253", None, why="Q10: closed, spacesAvailable 457", freshness="dead",
        at="2023-10-07T01:45:08Z",
           flags=("closed_with_spaces",), pools={"public": None, "group_1": None}),
    dead("stuttgart", "78319431", None, None, "2023-10-07T01:45:31.582Z", why="no number, status unknown",
        mode="flag"),
    Published(source="stuttgart", ref="12717450", why="Q6: 1970, 0 of 0, open", reason="no_observation_time",
        freshness="expired", flags=("sentinel_time",)),
    dead("bondorf", "1035", 215, 313, "2025-05-09T19:41:58.546153Z", why="Q20: seven digits"),
    dead("mobidata", "12:66", 160, 260, "2026-10-05T03:25:00Z"),
    closed("mobidata", "12:70", 843, why="Q10: CLOSED, 820 of 843", freshness="dead", at="2026-10-05T03:25:00Z",
        flags=("closed_with_spaces",)),
    dead("mobidata", "41:1445", 143, 147, "2026-10-05T03:29:05Z", why="Q3: 143 of a built 137, of a live 147",
        pools={"public": 137}),
    Published(source="mobidata", ref="70:3", why="realtime fields are missing", reason="no_number", capacity=7,
        **_UNTIMED),
    dead("ymzh", "1708773681705596", 495, 500, "2024-02-27T06:44:28.737Z", why="Q20: milliseconds in a string",
         pools={"public": 500, "area_1708773681832919": None}),
    counted("bolink", "1001", 32, why="Q18: nothing says when", **_UNTIMED),
    counted("bolink-answer", "haidian", 38, 120, why="Base64 of JSON", **_UNTIMED),
    dead("tdznyun", "TEST/1P1", 99, 100, "2018-08-12T12:15:00+08:00",
        why="Q25 Q28: keys with spaces behind them, a plate"),
    counted("tdznyun", "SLZX/1P11", 99, **_UNTIMED),
    counted("tdznyun-answer", "test-park", 99, 100, **_UNTIMED),
    dead("lpr", "20210001", 978, 1000, "2021-02-01T18:24:25+08:00", why="Q19"),
)  # fmt: skip

ROWS: tuple[Stored, ...] = (
    Stored(source="sg-2021-a", ref="SK24", pool="hgv", free=200, capacity=181, flags=("invalid",)),
    Stored(source="sg-2021-a", ref="K2T", pool="motorcycle", free=2, available=2, capacity=12),
    Stored(source="sg-2021-a", ref="K2T", free=0, available=0, capacity=73),
    Stored(source="sg-2023", ref="KI12", pool="k", free=50, available=50, capacity=120),
    Stored(source="hk-api", ref="12", pool="ev", free=5, available=5),
    Stored(source="hk-api", ref="12", pool="disabled", free=6, available=6),
    Stored(source="hk-api", ref="12", pool="lgv", free=0, available=0),
    Stored(source="hk-flat", ref="tdc5p3", status="open"),
    Stored(source="freiburg", ref="2", free=399, capacity=399, status="unknown",
        flags=("unknown_status",)),
    Stored(source="heidelberg", ref=f"{_P}23", free=-8, occupied=9, status="open", flags=("placeholder_capacity",
        "drift")),
    Stored(source="heidelberg", ref=f"{_P}19", occupied=36, capacity=353, status="unknown",
        flags=("unknown_status",)),
    Stored(source="karlsruhe", ref="54", free=255, capacity=495, status="fault", flags=("fault",)),
    Stored(source="karlsruhe", ref="3", free=226, available=226, capacity=250, status="closed"),
    Stored(source="basel", ref="anfos", free=167, capacity=162, flags=("invalid",)),
    Stored(source="stuttgart", ref="12717408", pool="group_1", free=104, occupied=56, available=104),
    Stored(source="stuttgart", ref="12717408", pool="group_2", free=98, occupied=12, available=98),
    Stored(source="mobidata", ref="82:DE-NW-000152", pool="hgv", free=0, available=0, capacity=90, status="open"),
    Stored(source="ymzh", ref="1708773681705596", pool="area_1708773681832919", free=495, available=495,
        capacity=500),
    Stored(source="ymzh", ref="1708773681705596", pool="card_临时车A", occupied=5, flags=("no_capacity",)),
    Stored(source="lpr", ref="20210001", free=978, occupied=22, available=978, capacity=1000),
    Stored(source="sg-2021-b", ref="JM15", free=116, available=116, capacity=332),  # Q26: of a lot that nobody knows
)  # fmt: skip

PLACES = {
    "freiburg.13": {"lat": 5317088.866013217, "lon": 413824.9118544782, "crs": "EPSG:25832"}
}  # Q22, as in its GeoJSON
PLATES = ("粤B123456", "苏A12345")  # Q28: in the payloads of tdznyun and njytb
