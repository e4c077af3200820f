"""The register of the proofs' car parks as an office would write it: CSV files made from what the sources name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.proof.lots import Published

AREA = "440303001"
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[114.0, 22.5], [114.2, 22.5], [114.2, 22.6], [114.0, 22.6], [114.0, 22.5]]],
}
POOLS: Mapping[str, Mapping[str, str]] = {  # whatever is not here is for everybody's cars, and inside the public total
    "public": {"audience": "public", "exclusive": "yes"},
    "motorcycle": {"audience": "public", "vehicle": "motorcycle", "exclusive": "yes"},
    "hgv": {"audience": "public", "vehicle": "hgv", "exclusive": "yes"},
    "lgv": {"audience": "public", "vehicle": "lgv", "exclusive": "yes"},
    "disabled": {"audience": "disabled", "exclusive": "yes"},
    "ev": {"audience": "ev", "exclusive": "yes"},
    "contract": {"audience": "contract", "product": "monthly", "exclusive": "no"},
}


def write(
    folder: Path,
    lots: Sequence[Published],
    places: Mapping[str, Mapping[str, Any]] = {},
    claims: Iterable[tuple[str, str, str]] = (),
) -> None:
    """`places`: lat, lon and crs by lot id; `claims`: further (source, ref, lot id)."""
    folder.mkdir()
    since = {"valid_from": "2015-01-01"}
    centre = {"lat": 22.55, "lon": 114.1, "crs": "EPSG:4326"}
    square = {
        "type": "Feature",
        "properties": {"code": AREA, "name_zh": "东门", "name_en": "Dongmen"},
        "geometry": SQUARE,
    }
    (folder / "subdistricts.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [square]}))
    _csv(
        folder / "lots.csv",
        [
            {"lot_id": lot.lot_id, "name_zh": lot.ref, "name_en": lot.ref, "subdistrict_code": AREA, "kind": "garage"}
            | since
            | dict(places.get(lot.lot_id) or centre)
            for lot in lots
        ],
    )
    named = [(lot.source, lot.ref, lot.lot_id) for lot in lots] + list(claims)
    _csv(
        folder / "lot_sources.csv",
        [{"source": source, "ref": ref, "lot_id": lot_id, "priority": 1} | since for source, ref, lot_id in named],
    )
    _csv(
        folder / "pools.csv",
        [
            {"lot_id": lot.lot_id, "pool": pool, "capacity": "" if capacity is None else capacity}
            | {"audience": "public", "vehicle": "car", "product": "short_term", "exclusive": "no"}
            | dict(POOLS.get(pool, {}))
            | since
            for lot in lots
            for pool, capacity in lot.pools.items()
        ],
    )


def _csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode())
