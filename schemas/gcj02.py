"""Where is a WGS-84 point on a Chinese map, and back? GCJ-02, the state's shifted datum, and BD-09, Baidu's on top.

No standard gives the formula. The constants are those published with the first open implementations (EvilTransform,
2013) and since confirmed against map services: the Krasovsky 1940 ellipsoid (a = 6378245 m, e2 = 0.00669342...), and
sums of sines around 105 E, 35 N. The shift is some 500 m in Shenzhen; the way back is exact to below a millimetre.
Outside the rectangle where the shift applies, points are the same in both. All pairs are (lat, lon) in degrees.
"""

from __future__ import annotations

from math import atan2, cos, hypot, pi, sin, sqrt

_A_M = 6378245.0
_E2 = 0.00669342162296594323
_BAIDU_PI = pi * 3000.0 / 180.0


def wgs84_to_gcj02(lat: float, lon: float) -> tuple[float, float]:
    if not _is_shifted(lat, lon):
        return lat, lon
    d_lat, d_lon = _shift(lat, lon)
    return lat + d_lat, lon + d_lon


def gcj02_to_wgs84(lat: float, lon: float) -> tuple[float, float]:
    """The point whose shift leads here: fixed-point iteration, which gains some three digits a round."""
    guess_lat, guess_lon = lat, lon
    for _ in range(6):
        there_lat, there_lon = wgs84_to_gcj02(guess_lat, guess_lon)
        guess_lat, guess_lon = guess_lat + lat - there_lat, guess_lon + lon - there_lon
    return guess_lat, guess_lon


def bd09_to_gcj02(lat: float, lon: float) -> tuple[float, float]:
    x, y = lon - 0.0065, lat - 0.006
    radius = hypot(x, y) - 0.00002 * sin(y * _BAIDU_PI)
    angle = atan2(y, x) - 0.000003 * cos(x * _BAIDU_PI)
    return radius * sin(angle), radius * cos(angle)


def _is_shifted(lat: float, lon: float) -> bool:
    return 0.8293 <= lat <= 55.8271 and 72.004 <= lon <= 137.8347


def _shift(lat: float, lon: float) -> tuple[float, float]:
    """The degrees by which a point moves north and east."""
    x, y = lon - 105.0, lat - 35.0
    short = (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + short
    north_m += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north_m += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + short
    east_m += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east_m += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    flattening = 1.0 - _E2 * sin(lat / 180.0 * pi) ** 2
    per_lat = _A_M * (1.0 - _E2) / (flattening * sqrt(flattening)) * pi / 180.0
    per_lon = _A_M / sqrt(flattening) * cos(lat / 180.0 * pi) * pi / 180.0
    return north_m / per_lat, east_m / per_lon
