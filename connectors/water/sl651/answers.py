"""What does a station answer about itself? Parameters, its software, its clock: no readings."""

from __future__ import annotations

from connectors.decoding import Unreadable
from connectors.water.sl651.body import Report
from connectors.water.sl651.values import bcd

REFERENCE_VALUE = "28"  # 水位基值1, of the run parameters: what the relative levels F5 are above


def parameters(report: Report) -> dict[str, bytes]:
    """The parameters of 40 to 43, by id, as they came; a body that breaks off keeps those before."""
    body, at = _after_station(report.rest), 0
    found: dict[str, bytes] = {}
    while at + 2 <= len(body):
        head = 3 if body[at] == 0xFF else 2
        size = body[at + head - 1] >> 3 if at + head <= len(body) else 0
        if at + head + size > len(body) or not size:
            break
        found[body[at : at + head - 1].hex().upper()] = body[at + head - 1 : at + head + size]
        at += head + size
    return found


def reference_value_m(report: Report) -> float | None:
    """The station's own reference value; None where it does not say one. Parameter 28 is its first data byte's def."""
    told = parameters(report).get(REFERENCE_VALUE)
    if told is None:
        return None
    try:
        return bcd(told[1:], told[0] & 0x07)
    except Unreadable:
        return None


def version(report: Report) -> str:
    """The software's name (45): a length byte and text."""
    body = _after_station(report.rest)
    return body[1:].decode("ascii", "replace") if body else ""


def _after_station(rest: bytes) -> bytes:
    return rest[7:] if rest[:2] == b"\xf1\xf1" else rest
