"""Where does Freiburg's feed say that its car parks lie? EPSG:25832 inside GeoJSON, to WGS-84."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.decoding import Unreadable
from connectors.parking.freiburg import positions


def document(*coordinates: Any) -> bytes:
    features = [
        {"properties": {"obs_parkid": str(number)}, "geometry": {"type": "Point", "coordinates": place}}
        for number, place in enumerate(coordinates)
    ]
    return json.dumps({"features": features}).encode()


def test_the_meridian_of_the_zone_is_nine_degrees_east() -> None:
    ((ref, lon, lat),) = positions(document([500_000.0, 5_317_000.0]))
    assert ref == "0"
    assert lon == pytest.approx(9.0, abs=1e-9)
    assert lat == pytest.approx(48.0063, abs=1e-4)  # 5,317,000 / 0.9996 is 700 m beyond the arc to 48 degrees


def test_the_minster_is_where_it_stands() -> None:
    ((_, lon, lat),) = positions(document([413_863.0, 5_316_766.0]))
    assert lon == pytest.approx(7.8455, abs=2e-3)
    assert lat == pytest.approx(47.9975, abs=2e-3)


def test_the_crs_is_the_configured_one() -> None:
    ((_, lon, lat),) = positions(document([7.85, 47.99]), "EPSG:4326")
    assert lon == pytest.approx(7.85)
    assert lat == pytest.approx(47.99)


@pytest.mark.parametrize("place", [None, [], [1], "1 2", ["x", "y"], [1e308, 1e308], [True, False], {"x": 1}, [[1, 2]]])
def test_a_lot_without_a_point_is_said_to_have_none(place: Any) -> None:
    assert positions(document(place)) == [("0", None, None)]


def test_a_document_that_is_none_says_so() -> None:
    with pytest.raises(Unreadable):
        positions(b"[]")
