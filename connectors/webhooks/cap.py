"""How does an alert read as CAP 1.2? Strict: an offset instead of Z, no comma, blank, < or & in identifiers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from lxml import etree

from schemas.alerts import COLOURS, AlertNotice, DeliveryKind, Heartbeat

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE = "application/cap+xml"
VALID_FOR = timedelta(hours=24)
HEADLINE_LIMIT = 160
STATUS: dict[str, str] = {"alert": "Actual", "exercise": "Exercise", "test": "Test", "heartbeat": "System"}
CATEGORY = {"water": "Met", "parking": "Transport", "community": "Safety", "platform": "Infra"}
SEVERITY = {1: "Minor", 2: "Moderate", 3: "Severe", 4: "Extreme"}
URGENCY = {1: "Future", 2: "Expected", 3: "Immediate", 4: "Immediate"}
CERTAINTY = {"observed": "Observed", "likely": "Likely", "possible": "Possible"}
COLOUR_ZH = {1: "蓝色", 2: "黄色", 3: "橙色", 4: "红色"}
_FORBIDDEN = re.compile(r"[\s,<&]+")
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks, and for which place."""

    sender: str
    name_zh: str
    name_en: str
    area_code: str  # GB/T 2260
    zone: ZoneInfo


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was sent before."""

    identifier: str
    at: datetime


def written(at: datetime, zone: ZoneInfo) -> str:
    """2026-11-24T09:00:00+08:00; UTC as CAP has it, -00:00."""
    text = at.astimezone(zone).isoformat(timespec="seconds")
    return text.removesuffix("+00:00") + "-00:00" if text.endswith("+00:00") else text


def token(text: str) -> str:
    """As an identifier or a sender may be written."""
    return _FORBIDDEN.sub("-", text)


def msg_type(notice: AlertNotice, references: Sequence[Reference]) -> str:
    """An update of what this receiver never had is an alert to it."""
    if notice.change == "ended":
        return "Cancel"
    return "Update" if references else "Alert"


def alert(
    kind: DeliveryKind,
    notice: AlertNotice,
    identifier: str,
    references: Sequence[Reference],
    issuer: Issuer,
    addressee: str,
) -> bytes:
    root = _head(identifier, notice.at, STATUS[kind], msg_type(notice, references), issuer, addressee)
    if references:
        named = (f"{token(issuer.sender)},{one.identifier},{written(one.at, issuer.zone)}" for one in references)
        _add(root, "references", " ".join(named))
    _add(root, "incidents", str(notice.alert_id))
    for language in ("zh-CN", "en-US"):
        _info(root, notice, language, issuer)
    return _encoded(root)


def heartbeat(beat: Heartbeat, identifier: str, issuer: Issuer, addressee: str) -> bytes:
    """A message of the system, without an info block: how many alerts are active is its note."""
    counts = " ".join(f"{colour}={count}" for colour, count in beat.by_colour.items())
    root = _head(identifier, beat.at, STATUS["heartbeat"], "Alert", issuer, addressee, f"active={beat.active} {counts}")
    return _encoded(root)


def _head(
    identifier: str, at: datetime, status: str, kind: str, issuer: Issuer, addressee: str, note: str = ""
) -> etree._Element:
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    _add(root, "identifier", identifier)
    _add(root, "sender", token(issuer.sender))
    _add(root, "sent", written(at, issuer.zone))
    _add(root, "status", status)
    _add(root, "msgType", kind)
    _add(root, "scope", "Private")
    _add(root, "addresses", token(addressee))
    if note:
        _add(root, "note", note)
    return root


def _info(root: etree._Element, notice: AlertNotice, language: str, issuer: Issuer) -> None:
    chinese = language == "zh-CN"
    sentence = notice.sentence_zh if chinese else notice.sentence_en
    info = etree.SubElement(root, f"{{{NAMESPACE}}}info")
    _add(info, "language", language)
    _add(info, "category", CATEGORY.get(notice.domain, "Other"))
    _add(info, "event", f"{notice.domain} {notice.kind}".replace("_", " "))
    _add(info, "responseType", "AllClear" if notice.change == "ended" else "Monitor" if notice.level < 3 else "Execute")
    _add(info, "urgency", "Past" if notice.change == "ended" else URGENCY[notice.level])
    _add(info, "severity", SEVERITY[notice.level])
    _add(info, "certainty", CERTAINTY.get(notice.certainty, "Unknown"))
    _add(info, "effective", written(notice.at, issuer.zone))
    _add(info, "onset", written(notice.raised_at, issuer.zone))
    _add(info, "expires", written(notice.at + VALID_FOR, issuer.zone))
    _add(info, "senderName", issuer.name_zh if chinese else issuer.name_en)
    _add(info, "headline", sentence[:HEADLINE_LIMIT])
    _add(info, "description", sentence)
    for name, value in (
        ("colour", COLOUR_ZH[notice.level] if chinese else COLOURS[notice.level]),
        ("revision", str(notice.revision)),
        ("subject", notice.subject),
    ):
        parameter = etree.SubElement(info, f"{{{NAMESPACE}}}parameter")
        _add(parameter, "valueName", name)
        _add(parameter, "value", value)
    area = etree.SubElement(info, f"{{{NAMESPACE}}}area")
    _add(area, "areaDesc", f"{issuer.name_zh if chinese else issuer.name_en} {notice.subject}")
    geocode = etree.SubElement(area, f"{{{NAMESPACE}}}geocode")
    _add(geocode, "valueName", "GB/T 2260")
    _add(geocode, "value", issuer.area_code)


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{NAMESPACE}}}{name}").text = _UNPRINTABLE.sub("�", text)


def _encoded(root: etree._Element) -> bytes:
    body: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return body
