"""What do the vendors' clients send? One message of a lot, signed as its vendor signs, with a code of its own.

The signing rules are written here a second time, so that a mistake in the connector's is not made on both sides.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from demo.district import Lot
from demo.draws import draw
from demo.faults import Reading

LOCAL = timezone(timedelta(hours=8))
STRANGER = "20219999"  # a camera's lot that is in no register


class Push(msgspec.Struct, frozen=True):
    """`at` is when it is signed; who sends it again signs it again."""

    body: bytes
    headers: Mapping[str, str]


def message(decoder: str, reading: Reading, secret: str, at: datetime) -> Push:
    """What a vendor's client sends for a reading. Signed at `at`, which may be later than the reading."""
    return _MESSAGES[decoder](reading, secret, at)


def ymzh(one: Reading, secret: str, at: datetime) -> Push:
    """B30. The TimeStamp is the reading's; Data is signed as it stands in the body."""
    upper = (one.free or 0) // 4
    inside = max(one.capacity - (one.free or 0), 0)
    shared = one.lot.shared - (one.shared or 0)
    monthly = monthly_of(inside)
    key = one.lot.ref
    data = {
        "TotalSpaces": one.capacity,
        "RemainingSpaces": one.free,
        "AreaSpaces": [
            {
                "AreaNo": f"{key}1",
                "AreaName": "地面",
                "TotalSpaces": one.capacity // 4,
                "RemainingSpaces": min(upper, one.capacity // 4),
            },
        ],
        "CarCardTypeSpaces": [
            {"AreaCarCardTypeName": "[地面] [临时车A] 数量", "AreaNo": f"{key}1", "UseSpaces": inside - monthly},
            {"AreaCarCardTypeName": "[地下] [月租车A] 数量", "AreaNo": f"{key}2", "UseSpaces": monthly},
            {"AreaCarCardTypeName": "[地面] [共享车A] 数量", "AreaNo": f"{key}1", "UseSpaces": shared},
        ],
    }
    stamp = int(one.observed_at.timestamp() * 1000)
    nonce = str(int(draw("nonce", key, stamp, one.minute) * 10**18))
    fields = {"ParkKey": key, "AppId": "demo0001", "TimeStamp": str(stamp), "Nonce": nonce}
    text = "&".join(f"{name}={value}" for name, value in sorted({**fields, "Data": _compact(data)}.items()))
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    sign = base64.b64encode(digest).decode().lower()
    return _json_push({**fields, "Data": data, "Sign": sign})


def bolink(one: Reading, secret: str, at: datetime) -> Push:
    """updatepark, its JSON in Base64. Type 2 takes the lot off the platform."""
    fields: dict[str, Any] = {
        "park_id": one.lot.ref,
        "type": 2 if one.is_closed else 1,
        "union_id": 1001,
        "total_plot": one.capacity,
        "rand": f"{draw('rand', one.lot.number, one.minute):.16f}",
        "price_desc": "5元每小时",
    }
    if one.free is not None:
        fields["empty_plot"] = one.free
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items())) + f"&key={secret}"
    fields["sign"] = _md5(text).upper()
    return Push(base64.b64encode(_compact(fields).encode()), {"Content-Type": "text/plain"})


def tdznyun(one: Reading, secret: str, at: datetime) -> Push:
    """A car enters: its plate, keys with spaces behind them, the spaces that are left."""
    content: dict[str, Any] = {
        "parkCode": one.lot.ref,
        "recordNo": f" {one.lot.number}_{one.observed_at.astimezone(LOCAL):%Y%m%d%H%M%S}000",
        "plateNum": _plate(one),
        "carType ": 9,
        "carSubType ": 91,
        "entrance ": "入口一",
        "remainParkNum ": one.free,
        "totalParkNum ": one.capacity,
        "enterTime ": f"{one.observed_at.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}",
    }
    stamp = str(int(at.timestamp()))
    fields = {"pid": "900001", "serviceName": "enterNotify", "timestamp": stamp, "bizContent": _compact(content)}
    sign = _md5("&".join(f"{name}={fields[name]}" for name in sorted(fields)) + f"&key={secret}")
    return _json_push({**fields, "bizContent": content, "sign": sign.upper()})


def lpr(one: Reading, secret: str, at: datetime) -> Push:
    return _lpr_push(one.lot.ref, one.capacity, one.free, one.occupied, one.observed_at, secret, at)


def stranger(minute_start: datetime, secret: str, at: datetime) -> Push:
    """A lot of the camera network that nobody has registered."""
    free = 10 + minute_start.minute % 9
    return _lpr_push(STRANGER, 40, free, 40 - free, minute_start, secret, at)


def monthly_of(spaces: int) -> int:
    """How many of a lot's spaces or cars have monthly cards."""
    return spaces * 2 // 3


def shared_bay(lot: Lot, bay: str, secret: str, at: datetime) -> Push:
    """njytb: a monthly share of one bay in the hours of the lot's window, from the first of the month to the next."""
    local = at.astimezone(LOCAL)
    begin = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (begin + timedelta(days=32)).replace(day=1)
    body = {
        "parkingLotId": sharing_ref(lot),
        "parkingType": "8",
        "plateNumber": f"粤B{int(draw('plate', lot.number, bay) * 99_999):05d}",
        "startTime": f"{begin:%Y-%m-%d %H:%M}",
        "endTime": f"{end:%Y-%m-%d %H:%M}",
        "parkingCode": bay,
        "timeSegments": [
            {
                "repeatType": "weekly",
                "repeatData": list(lot.window.weekdays or range(1, 8)),
                "startTime": lot.window.start.removeprefix("0"),
                "endTime": lot.window.end.removeprefix("0"),
            }
        ],
    }
    return _stamped(body, secret, at)


def sharing_ref(lot: Lot) -> str:
    """The sharing platform's own number of a lot."""
    return f"877538407917{lot.number:06d}"


def _lpr_push(
    ref: str, capacity: int, free: int | None, occupied: int | None, observed_at: datetime, secret: str, at: datetime
) -> Push:
    body = {
        "service": "parkingspace",
        "parkid": ref,
        "spacetotal": capacity,
        "spaceLeft": free,
        "spaceused": occupied,
        "time": f"{observed_at.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}",
    }
    return _stamped(body, secret, at)


def _stamped(body: dict[str, Any], secret: str, at: datetime) -> Push:
    data = _compact(body).encode()
    stamp = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + data, hashlib.sha256).hexdigest()
    return Push(data, {"Content-Type": "application/json", "X-Signature": f"t={stamp},v1={digest}"})


def _plate(one: Reading) -> str:
    return f"粤B{int(draw('plate', one.lot.number, one.minute) * 99_999):05d}"


def _json_push(fields: dict[str, Any]) -> Push:
    return Push(_compact(fields).encode(), {"Content-Type": "application/json; charset=utf-8"})


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 the vendor's rule


_MESSAGES = {"ymzh": ymzh, "bolink": bolink, "tdznyun": tdznyun, "lpr": lpr}
