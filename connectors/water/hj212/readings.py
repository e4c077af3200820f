"""Which readings are in an HJ 212 message? Each number of each factor is one, with what its source says of it.

Of a factor that the source's options name, `-Rtd` is our element: codes = {"e01201" = {element = "level_m", scale =
0.001}}. Every other number is `other` with its code; statistics (`-Avg`, `-Max`, `-Cou`) are `<factor>-<statistic>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec

from connectors.decoding import Decoded, SourceContext, Unreadable, raw_ref, reject
from connectors.water.hj212.connection import Message
from connectors.water.hj212.frames import encode
from schemas.batch import Row
from schemas.fields import EARLIEST
from schemas.source import Reject
from schemas.water import Element, SourceQuality, StationReading

DATA = frozenset(("2011", "2013", "2031", "2041", "2051", "2061", "2081", "3020"))
AHEAD_LIMIT = timedelta(minutes=5)
_PARTS = re.compile("[;,]")
_FACTOR = re.compile(r"([A-Za-z0-9]{2,20})-([A-Za-z0-9]{1,20})", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,12}(\.\d{0,9})?|\.\d{1,9})", re.ASCII)
_TIME = re.compile(r"\d{14}(\d{3})?", re.ASCII)
_NO_NUMBERS = frozenset(("Flag", "EFlag", "SampleTime", "Info", "RS", "DataFlag"))
_KNOWN = frozenset(get_args(Element))

_QUALITY: dict[str, tuple[SourceQuality, str | None]] = {
    "N": ("good", None),
    "D": ("fail", "fault"),
    "M": ("suspect", "maintenance"),
    "T": ("suspect", "over_range"),
    "F": ("fail", "stopped"),
    "S": ("suspect", "set_by_hand"),
    "C": ("suspect", "calibration"),
    "B": ("fail", "no_communication"),
}
_COLLECTED = {"2051": "minute", "2061": "hour", "2031": "day"}
_CODES: Mapping[str, Any] = {
    "w00000": {"element": "flow_m3s", "scale": 0.001},  # litres a second
    "B01": {"element": "flow_m3s", "scale": 0.001},
    "w01010": "temperature_c",
}


class _Number(msgspec.Struct, frozen=True):
    factor: str
    statistic: str
    text: str
    flag: str | None
    flag_text: str


def decoded(message: Message, source: SourceContext) -> Decoded:
    """Rows and rejects of one message; what is no data (heartbeats, answers) has none."""
    packet = message.packet
    if packet.command not in DATA:
        return Decoded(rows=[], rejects=[])
    if not packet.station or not packet.station.isprintable():
        return _whole(message, source, "missing_id", "no MN that is one")
    fields, faults = _fields(message)
    at, time_flags = _time(fields, packet.fields.get("QN", ""), source)
    name = raw_ref(message.text.encode())
    rows: list[Row] = []
    rejects: list[Reject] = []
    for number in _numbers(fields):
        try:
            rows.append(_reading(number, message, at, time_flags, source, name))
        except Unreadable as error:
            rejects.append(_alone(number, fields, message, source, error))
    rejects += [reject(source, message.text[:2_048], fault.reason, fault.detail) for fault in faults]
    if not rows and not rejects:
        return _whole(message, source, "no_values", f"CN={packet.command} without a number")
    return Decoded(rows=rows, rejects=rejects)


def _fields(message: Message) -> tuple[dict[str, str], list[Unreadable]]:
    """All of a message, whatever separates them. Names that stand twice with two values: neither is believed."""
    fields: dict[str, str] = {}
    twice: set[str] = set()
    for parameters in message.parameters:
        for part in _PARTS.split(parameters):
            name, equals, value = part.partition("=")
            name, value = name.strip(), value.strip()
            if equals and fields.setdefault(name, value) != value:
                twice.add(name)
    told = {name: value for name, value in fields.items() if name not in twice}
    return told, [Unreadable("contradiction", f"{name[:64]} stands twice") for name in sorted(twice)]


def _numbers(fields: dict[str, str]) -> list[_Number]:
    found = []
    for name, text in fields.items():
        factor = _FACTOR.fullmatch(name)
        if factor and factor[2] not in _NO_NUMBERS:
            flag = fields.get(f"{factor[1]}-Flag")
            found.append(_Number(factor[1], factor[2], text, flag, f"{factor[1]}-Flag"))
    return found


def _reading(
    number: _Number,
    message: Message,
    at: datetime,
    time_flags: tuple[str, ...],
    source: SourceContext,
    name: str,
) -> StationReading:
    element, scale, code = _element(number, source)
    value = _value(number.text, scale)
    quality, word = _QUALITY.get(number.flag, ("unknown", "unknown_flag")) if number.flag else ("unknown", None)
    flags = (*time_flags, *((word,) if word else ()))
    if collected := _COLLECTED.get(message.packet.command):
        flags = (*flags, collected)
    return StationReading(
        source=source.source,
        station=message.packet.station,
        element=element,
        observed_at=at,
        received_at=source.received_at,
        value=value,
        quality="missing" if value is None else quality,
        flags=flags,
        raw_ref=name,
        code=code,
    )


def _element(number: _Number, source: SourceContext) -> tuple[Element, float, str | None]:
    """Our element of a factor's statistic, by the source's options first; what is to multiply; the code of `other`."""
    configured = source.options.get("codes")
    codes = {**_CODES, **configured} if isinstance(configured, dict) else _CODES
    full = f"{number.factor}-{number.statistic}"
    told = codes.get(full, codes.get(number.factor) if number.statistic == "Rtd" else None)
    element = told.get("element") if isinstance(told, dict) else told
    scale = told.get("scale", 1) if isinstance(told, dict) else 1
    if isinstance(element, str) and element in _KNOWN and element != "other" and isinstance(scale, (int, float)):
        return msgspec.convert(element, Element), scale, None
    return "other", 1, number.factor if number.statistic == "Rtd" else full


def _value(text: str, scale: float) -> float | None:
    if text in ("", "-", "--", "NULL", "null"):
        return None
    value = float(text) if _NUMBER.fullmatch(text) else 1e9
    if scale != 1:
        value = round(value * scale, 9)
    if not abs(value) < 1e9:
        raise Unreadable("bad_number", f"{text[:64]!r} is no number of a reading")
    return value


def _time(fields: dict[str, str], qn: str, source: SourceContext) -> tuple[datetime, tuple[str, ...]]:
    """DataTime; without one the time of sending (QN); a time that cannot be is ours, flag `clock`."""
    told = fields.get("DataTime", "")
    flags: tuple[str, ...] = () if told else ("sent_time",)
    text = told or qn
    if _TIME.fullmatch(text):
        try:
            local = datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=source.zone)
            at = local.astimezone(UTC) + timedelta(milliseconds=int(text[14:] or 0))
        except (ValueError, OverflowError):
            return source.received_at, ("clock",)
        if EARLIEST <= at <= source.received_at + AHEAD_LIMIT:
            return at, flags
    return source.received_at, ("clock",)


def _alone(
    number: _Number, fields: dict[str, str], message: Message, source: SourceContext, error: Unreadable
) -> Reject:
    """The reject of a number: a packet with it alone."""
    packet = message.packet
    head = ";".join(f"{name}={packet.fields[name]}" for name in ("QN", "ST", "CN", "PW", "MN") if name in packet.fields)
    parameters = f"DataTime={fields.get('DataTime', '')[:32]};{number.factor}-{number.statistic}={number.text[:256]}"
    if number.flag is not None:
        parameters += f",{number.flag_text}={number.flag[:8]}"
    raw = encode(f"{head};Flag={packet.flag & ~3}", parameters)
    return reject(source, raw.decode("utf-8", "replace"), error.reason, error.detail)


def _whole(message: Message, source: SourceContext, reason: str, detail: str) -> Decoded:
    return Decoded(rows=[], rejects=[reject(source, message.text, reason, detail)])
