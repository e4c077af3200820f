"""Which parts of a vendor's message name a car or a person? None of them leaves the connector (Q28, reference 6.6).

A decoder of pushes makes its rows with `row` and its rejects with `reject` of this module. Rejects keep the message
to be repaired, but values under the keys of plates, persons and pictures are taken out, and whatever looks like a
plate, a mobile number or an identity number anywhere else. Text that is not UTF-8 is read as GB 18030;
bytes that are no text are never passed on: nobody would see what is in them.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from connectors import decoding
from connectors.decoding import SourceContext
from schemas.parking import Observation
from schemas.source import RAW_LIMIT_BYTES, Reject

REMOVED = "(removed)"
_DEPTH = 16  # no vendor's message nests deeper; what does is cut off

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = (  # GA 36: 7 characters, 8 for new energy; police, military, embassy, and misread ones
    rf"[{_PROVINCES}][A-Za-z][\s·•.\-]?[A-Za-z0-9]{{4,7}}[学警港澳挂领试超应急]{{0,2}}"
    rf"|[Ww][Jj][{_PROVINCES}]?[·\-]?[0-9]{{4}}[0-9A-Za-z]"
    r"|[军海空北沈兰济南广成][A-Za-z][·\-]?[0-9]{5}"
    r"|[使领][0-9]{6}|[0-9]{6}[使领]"
)
_IDENTITY = r"(?<![0-9])[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])[0-9]{3}[0-9Xx]"
_MOBILE = r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])"
_ANY = re.compile(f"{_PLATE}|{_IDENTITY}|{_MOBILE}")
_ANY_ASCII = re.compile(rf"[Ww][Jj]-?[0-9]{{4}}[0-9A-Za-z]|{_IDENTITY}|{_MOBILE}")  # all that ASCII can hold
_SHORTEST = 6  # characters of what is looked for
_LONGEST = 64
_PERSONAL = re.compile(
    r"plate|licen[cs]e|car_?no|car_?num|car_?id|vehicle_?(?:no|num|id)|hphm|cphm|vin\b"
    r"|phone|mobile|tel(?:no|num)?$|owner|driver|person|user_?(?:name|id)|member|openid|contact|id_?card|cert_?no"
    r"|ima?ge?|photo|picture|pic_?(?:url|data)|车牌|号牌|手机|电话|姓名|车主|身份证|图片|照片",
    re.IGNORECASE,
)
_KEYED_TEXT = re.compile(  # key and value in text that is no JSON any more: quoted, form or key: value
    r"(?P<key>(?<!\w)[\w一-鿿]{1,40}\s{0,4}[\"']?)(?P<sign>\s{0,8}[:=]\s{0,8})(?P<value>\"(?:[^\"\\]|\\.)*\"?|[^,&;}\]\s]+)"
)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def names_a_car_or_person(text: str) -> bool:
    return len(text) >= _SHORTEST and _pattern(text).search(text) is not None


def without_persons(value: Any, depth: int = 0) -> Any:
    """A JSON value without plates and persons, the rest as it is."""
    if isinstance(value, str):
        return loose_text_without_persons(value)  # a form, or JSON in a string, may be in it
    if depth > _DEPTH and isinstance(value, (dict, list)):
        return "(too deep)"
    if isinstance(value, list):
        return [without_persons(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {
            text_without_persons(str(key)): REMOVED
            if item is not None and _is_personal(str(key))
            else without_persons(item, depth + 1)
            for key, item in value.items()
        }
    return value


def text_without_persons(text: str) -> str:
    return _pattern(text).sub(REMOVED, text) if len(text) >= _SHORTEST else text


def payload_without_persons(payload: bytes) -> str:
    """The text of a payload without plates and persons: of its JSON if it is any, else of its characters."""
    try:
        value = decoding.json_document(payload)
    except decoding.Unreadable:
        return _beginning(_characters(payload))
    return msgspec.json.encode(without_persons(value)).decode()


def _beginning(text: str) -> str:
    """As much of a text as a reject keeps. What a cut may have split, so that it looks like nothing, is left out."""
    cut = loose_text_without_persons(text[:RAW_LIMIT_BYTES])
    return cut if len(text) <= RAW_LIMIT_BYTES else f"{cut[:-_LONGEST]} (cut, {len(text)} characters)"


def reject(source: SourceContext, raw: bytes | Any, reason: str, detail: str) -> Reject:
    """As decoding.reject, without plates and persons in `raw` and in `detail`."""
    clean = payload_without_persons(raw) if isinstance(raw, bytes) else without_persons(raw)
    return decoding.reject(source, clean, reason, text_without_persons(detail))


def row(source: SourceContext, raw: Any, **fields: Any) -> Observation | Reject:
    """As decoding.observation; a field that names a car or a person makes it a reject."""
    for name, value in fields.items():
        if name != "raw_ref" and isinstance(value, str) and names_a_car_or_person(value):
            return reject(source, raw, "personal", f"{name} names a car or a person")
    made = decoding.observation(source, "", **fields)
    return reject(source, raw, made.reason, made.detail) if isinstance(made, Reject) else made


def loose_text_without_persons(text: str) -> str:
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "\\u" in text else text
    text = unquote_plus(text, errors="replace") if "%" in text else text
    text = _KEYED_TEXT.sub(
        lambda match: f"{match['key']}{match['sign']}{REMOVED}" if _is_personal(match["key"]) else match[0], text
    )
    text = text.replace("\x00", "�").encode(errors="replace").decode()  # lone surrogates of escapes
    return text_without_persons(text)


def _is_personal(key: str) -> bool:
    return _PERSONAL.search(key.strip(" \t\"'")) is not None


def _pattern(text: str) -> re.Pattern[str]:
    return _ANY_ASCII if text.isascii() else _ANY


def _characters(payload: bytes) -> str:
    """The text of a payload in an encoding that is beyond doubt; of any other only what it is."""
    candidates = ("utf-16",) if payload[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8", "gb18030")
    for encoding in candidates if "utf-16" in candidates or b"\x00" not in payload else ():
        try:
            return payload.decode(encoding)
        except UnicodeDecodeError:
            continue
    return f"({len(payload)} bytes that are no text, sha256 {hashlib.sha256(payload).hexdigest()})"
