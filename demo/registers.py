"""What does the register of the simulated district say? CSV files, as the district's own office would deliver them.

They are made at the start of a demo into its state folder, not committed: the model is the one source of them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from demo.district import Lot, lots
from demo.draws import between, draw, pick
from demo.ground import sketch
from demo.operators import BY_SOURCE, OPERATORS, SHARING
from demo.pushes import monthly_of, sharing_ref
from schemas.gcj02 import wgs84_to_gcj02

VALID_FROM = "2020-01-01"
LICENCE = "CC-BY-4.0"

_AUDIENCES = {"disabled": "disabled", "ev": "ev", "motorcycle": "public"}
_GCJ02 = {"demo-ymzh", "demo-tdznyun"}  # these operators survey on Chinese maps


def files() -> dict[str, bytes]:
    """The files by name. UTF-8 with a byte order mark, as Excel saves it."""
    found = {
        "operators.csv": csv_bytes(_operators()),
        "source_terms.csv": csv_bytes(_source_terms()),
        "lots.csv": csv_bytes(_lot(lot) for lot in lots()),
        "lot_sources.csv": csv_bytes(_lot_sources()),
        "pools.csv": csv_bytes(row for lot in lots() for row in _pools(lot)),
        "prices.csv": csv_bytes(row for lot in lots() for row in _prices(lot)),
        "share_windows.csv": csv_bytes(_window(lot) for lot in lots()),
        "calendar.csv": csv_bytes(_CALENDAR),
    }
    subdistricts = [feature for feature in sketch()["features"] if feature["properties"]["kind"] == "subdistrict"]
    document = {"type": "FeatureCollection", "features": subdistricts}
    found["subdistricts.geojson"] = json.dumps(document, ensure_ascii=False).encode()
    return found


_CALENDAR = [  # what the holidays library would say too; the rows show how an office overrides it
    {"day": "2026-10-01", "kind": "holiday", "name_zh": "国庆节", "name_en": "National Day", "source": "demo"},
    {"day": "2026-10-10", "kind": "workday", "name_zh": "国庆节调休", "name_en": "make-up workday", "source": "demo"},
    {"day": "2027-01-01", "kind": "holiday", "name_zh": "元旦", "name_en": "New Year", "source": "demo"},
]


def _operators() -> Iterable[dict[str, Any]]:
    for operator in OPERATORS:
        yield {
            "operator_id": operator.source.removeprefix("demo-"),
            "name_zh": f"{operator.name_zh}（演示）",
            "name_en": f"{operator.name_en} (demo)",
            "contact": "demo@luohu.example",
        }


def _source_terms() -> Iterable[dict[str, Any]]:
    sources = [(operator.source, operator.name_zh) for operator in OPERATORS] + [(SHARING, "停途帮")]
    for source, name in sources:
        yield {"source": source, "licence": LICENCE, "attribution": f"{name}（演示）", "url": ""}


def _lot(lot: Lot) -> dict[str, Any]:
    crs, lon, lat, gate = "EPSG:4326", lot.lon, lot.lat, lot.gate
    if lot.source in _GCJ02:
        crs, (lat, lon) = "GCJ-02", _gcj02(lot.lat, lot.lon)
        gate = _gcj02(gate[1], gate[0])[::-1]
    entrances = [
        {
            "entrance_id": "E1",
            "name_zh": "主入口",
            "name_en": "Main entrance",
            "lat": gate[1],
            "lon": gate[0],
            "shared_users": True,
        }
    ]
    height = round(between(1.9, 2.6, "height", lot.number), 1)
    return {
        "lot_id": lot.lot_id,
        "name_zh": lot.name_zh,
        "name_en": lot.name_en,
        "subdistrict_code": lot.subdistrict,
        "operator_id": lot.source.removeprefix("demo-"),
        "kind": lot.kind,
        "lat": lat,
        "lon": lon,
        "crs": crs,
        "address_zh": lot.address_zh,
        "address_en": lot.address_en,
        "height_limit_m": height if lot.kind in ("underground", "garage", "mechanical") else "",
        "opening_hours": "24/7" if draw("hours known", lot.number) < 0.9 else "",
        "entrances": json.dumps(entrances, ensure_ascii=False),
        "contact": "",
        "accessibility": "step_free" if "disabled" in lot.pools else "",
        "pricing_verified_at": "2026-11-01",
        "valid_from": VALID_FROM,
    }


def _lot_sources() -> Iterable[dict[str, Any]]:
    for lot in lots():
        yield {"source": lot.source, "ref": lot.ref, "lot_id": lot.lot_id, "priority": 1, "valid_from": VALID_FROM}
        if lot.bays:
            ref = sharing_ref(lot)
            yield {"source": SHARING, "ref": ref, "lot_id": lot.lot_id, "priority": 2, "valid_from": VALID_FROM}


def _pools(lot: Lot) -> Iterable[dict[str, Any]]:
    common = {"lot_id": lot.lot_id, "valid_from": VALID_FROM}
    yield {
        **common,
        "pool": "public",
        "vehicle": "car",
        "audience": "public",
        "product": "short_term",
        "exclusive": "yes",
        "capacity": lot.capacity,
        "capacity_basis": "master",
    }
    yield {
        **common,
        "pool": "shared",
        "vehicle": "car",
        "audience": "shared",
        "product": "shared_window",
        "exclusive": "no",
        "capacity": lot.shared,
        "capacity_basis": "contract",
    }
    if BY_SOURCE[lot.source].decoder == "ymzh":  # tells the cars with monthly cards, which are among all cars
        yield {
            **common,
            "pool": "contract",
            "vehicle": "car",
            "audience": "contract",
            "product": "monthly",
            "exclusive": "no",
            "capacity": monthly_of(lot.capacity),
            "capacity_basis": "master",
        }
    for pool, capacity in lot.pools.items():
        yield {
            **common,
            "pool": pool,
            "vehicle": "motorcycle" if pool == "motorcycle" else "car",
            "audience": _AUDIENCES[pool],
            "product": "short_term",
            "exclusive": "yes",
            "capacity": capacity,
            "capacity_basis": "master",
        }


def _prices(lot: Lot) -> Iterable[dict[str, Any]]:
    """By day per half hour with a cap, by night per hour."""
    step = pick((250, 300, 400, 500), "price", lot.number)
    free = pick((0, 15, 30), "free", lot.number)
    common = {"lot_id": lot.lot_id, "valid_from": VALID_FROM, "free_min": free}
    day_zh = f"日间每半小时{step / 100:g}元，封顶{step * 12 / 100:g}元"
    day_en = f"{step / 100:g} CNY per half hour by day, at most {step * 12 / 100:g} CNY"
    yield {
        **common,
        "line": 1,
        "start": "08:00",
        "end": "22:00",
        "step_min": 30,
        "step_price_fen": step,
        "cap_fen": step * 12,
        "cap_period": "day",
        "text_zh": day_zh,
        "text_en": day_en,
    }
    yield {
        **common,
        "line": 2,
        "start": "22:00",
        "end": "08:00",
        "step_min": 60,
        "step_price_fen": 100,
        "cap_fen": 1000,
        "cap_period": "window",
        "text_zh": "夜间每小时1元，封顶10元",
        "text_en": "1 CNY per hour by night, at most 10 CNY",
    }


def _window(lot: Lot) -> dict[str, Any]:
    window = lot.window
    return {
        "window_id": f"{lot.lot_id}-shared",
        "lot_id": lot.lot_id,
        "pool": "shared",
        "spaces": window.spaces,
        "weekdays": " ".join(str(day) for day in window.weekdays),
        "holiday_rule": "as_weekday",
        "start": window.start,
        "end": window.end,
        "min_stay_min": window.min_stay_min,
        "grace_min": window.grace_min,
        "buffer_min": window.buffer_min,
        "reserve": window.reserve,
        "entrance_id": "E1",
        "eligibility": window.eligibility,
        "overstay_rule_zh": "超时按双倍计费",
        "overstay_rule_en": "overstay is charged twice the price",
        "valid_from": VALID_FROM,
    }


def csv_bytes(rows: Iterable[dict[str, Any]]) -> bytes:
    found: Sequence[dict[str, Any]] = list(rows)
    names = list(dict.fromkeys(name for row in found for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(found)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _gcj02(lat: float, lon: float) -> tuple[float, float]:
    shifted = wgs84_to_gcj02(lat, lon)
    return round(shifted[0], 7), round(shifted[1], 7)
