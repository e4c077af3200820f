"""Which source goes through which transport and decoder? The plug board, from the [[source]] tables."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from connectors.credentials import NoSecret
from connectors.formats import DECODERS, PUSHES, TOPICS, Decoder, Push
from connectors.stations import configured
from connectors.transports import mqtt
from connectors.transports.http_push import Answer
from connectors.water import modbus
from schemas.settings import Settings, Source
from schemas.topics import BY_NAME, PARKING_OBSERVATIONS, WATER_TESTS, Topic

STATION_FORMATS = ("sl651", "hj212", "szy206")  # spoken over TCP, in conversations
UPLINK_FORMATS = ("chirpstack", "ttn")


class RouteError(ValueError):
    """A source cannot be run; one line for each thing to mend, with the source and the field."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    source: Source
    decode: Decoder
    headers: Mapping[str, str] = {}  # of polls, with the secret in them
    vendor: Vendor | None = None  # of pushes
    secret: str = ""  # of stations and brokers

    @property
    def spools(self) -> bool:
        """What was polled, or came with QoS 0, cannot be asked for again: what Kafka cannot take goes to the disk."""
        is_polled = self.source.transport in ("http_poll", "modbus")
        return is_polled or self.source.decoder == "ttn" or not self.source.can_resend

    @property
    def topics(self) -> set[Topic]:
        """Where its rows go."""
        tests = {WATER_TESTS} if self.source.decoder == "sl651" else set()
        return {BY_NAME[self.source.topic]} | tests


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """A push format with the secret and the window of one source in it (transports/http_push.py, Format)."""

    push: Push | None
    source: Source
    secret: str
    window_s: int

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> str | None:
        auth = self.source.auth
        if auth == "none":
            return None
        if auth == "header":
            name, wanted = auth_header(self.source.auth_header, self.secret)
            return _compared(headers.get(name.lower()), wanted)
        if auth == "hmac_sha256" and self.source.auth_header:
            name, template = auth_header(self.source.auth_header, "{secret}")
            digest = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
            given = headers.get(name.lower())
            return _compared(None if given is None else given.lower(), template.replace("{secret}", digest))
        if self.push is None:
            return "missing_signature"
        return self.push.verify(body, headers, self.secret, now, self.window_s, self.source.options)

    def replay_id(self, body: bytes) -> str | None:
        return None if self.push is None else self.push.replay_id(body)

    def answer(self, ok: bool, detail: str) -> Answer:
        if self.push is not None:
            return self.push.answer(ok, detail)
        words = {"ok": ok} if ok else {"ok": False, "detail": detail}
        return 200 if ok else 0, msgspec.json.encode(words), "application/json"


def auth_header(setting: str, secret: str) -> tuple[str, str]:
    """Name and value of the header: `X-Key`, or `Authorization: apikey {secret}`."""
    name, colon, template = setting.partition(":")
    return name.strip(), template.strip().replace("{secret}", secret) if colon else secret


def plug(settings: Settings, names: Sequence[str], secret_of: Callable[[str], str]) -> list[Route]:
    """The routes of the named sources, or of all that are enabled. Raises RouteError naming source and field."""
    wrong: list[str] = []
    known = {source.name: source for source in settings.sources}
    wrong.extend(f"there is no [[source]] named {name!r}" for name in names if name not in known)
    chosen = [known[name] for name in names if name in known] if names else [s for s in settings.sources if s.enabled]
    chosen = [_here(source, settings) for source in chosen]
    routes = []
    for source in chosen:
        faults = [f"[[source]] {source.name} {fault}" for fault in faults_of(source)]
        try:
            secret = secret_of(source.secret) if source.secret and not faults else ""
            if not faults:
                routes.append(_route(source, secret, settings.connectors.push_timestamp_window_s))
        except NoSecret as error:
            faults.append(f"[[source]] {source.name} secret: {error}")
        wrong.extend(faults)
    if wrong:
        raise RouteError("\n".join(wrong))
    return routes


def _here(source: Source, settings: Settings) -> Source:
    """A source over MQTT without an address has the broker of the local stack."""
    if source.transport == "mqtt" and not source.url:
        return msgspec.structs.replace(source, url=f"mqtt://127.0.0.1:{settings.ports.mqtt}")
    return source


def faults_of(source: Source) -> list[str]:
    """`field: what is wrong`, of everything that can be seen without secrets and network."""
    wrong = []
    if source.decoder not in DECODERS:
        wrong.append(f"decoder: there is no {source.decoder!r}; known: {', '.join(DECODERS)}")
    topic = TOPICS.get(source.decoder, PARKING_OBSERVATIONS.name)
    if source.topic != topic:
        wrong.append(f"topic: the rows of format {source.decoder!r} go to {topic!r}, not to {source.topic!r}")
    try:
        ZoneInfo(source.time_zone)
    except (OSError, ValueError, KeyError):
        wrong.append(f"time_zone: there is no {source.time_zone!r}")
    if source.auth == "header" and not source.auth_header.partition(":")[0].strip():
        wrong.append('auth_header: auth = "header" needs its name')
    if source.auth in ("header", "md5", "hmac_sha256") and not source.secret:
        wrong.append(f'secret: auth = "{source.auth}" needs the name of one')
    return wrong + _FAULTS[source.transport](source)


def state_of(source: Source, secret_of: Callable[[str], str]) -> str:
    """For `connectors list`: off, ready, or what is missing."""
    faults = faults_of(source)
    if not faults and source.secret and source.enabled:
        try:
            secret_of(source.secret)
        except NoSecret as error:
            faults = [f"secret: {error}"]
    return "; ".join(faults) or ("ready" if source.enabled else "off")


def _poll_faults(source: Source) -> list[str]:
    wrong = []
    if not source.url.startswith(("http://", "https://")):
        wrong.append("url: must begin with http:// or https://")
    if ("{ref}" in source.url) != bool(source.refs):
        wrong.append("refs: {ref} in the url and refs belong together")
    if bool(source.page_param) != bool(source.page_size):
        wrong.append("page_size: page_param and page_size belong together")
    if source.refs and source.page_param:
        wrong.append("page_param: a source with refs has no pages")
    if source.refs and len(source.refs) > source.requests_per_s * source.cadence_s:
        seconds = len(source.refs) / source.requests_per_s
        wrong.append(f"cadence_s: {len(source.refs)} refs at {source.requests_per_s:g} a second take {seconds:.0f} s")
    if source.auth in ("md5", "hmac_sha256"):
        wrong.append(f"auth: {source.auth!r} is for pushes")
    return wrong


def _push_faults(source: Source) -> list[str]:
    wrong = []
    signed_by_vendor = source.decoder in PUSHES
    if source.auth == "" and not signed_by_vendor:
        wrong.append(f"auth: format {source.decoder!r} has no signature of its own; say header, hmac_sha256 or none")
    if source.auth == "" and signed_by_vendor and not source.secret:
        wrong.append('secret: the vendor\'s signature needs the name of one (auth = "none" lets anyone in)')
    if source.auth == "md5" and not signed_by_vendor:
        wrong.append(f"auth: format {source.decoder!r} has no MD5 signature")
    if source.auth == "hmac_sha256" and not signed_by_vendor and not source.auth_header:
        wrong.append("auth_header: which header holds the HMAC of the body?")
    return wrong


def _station_faults(source: Source) -> list[str]:
    wrong = []
    if source.decoder not in STATION_FORMATS:
        wrong.append(f"decoder: {source.decoder!r} is not spoken over TCP; {', '.join(STATION_FORMATS)} are")
    if not source.port:
        wrong.append("port: where do stations connect?")
    if source.auth not in ("", "none"):
        wrong.append(f"auth: {source.auth!r} is for HTTP")
    if source.auth == "" and not source.secret and source.decoder != "szy206":
        wrong.append('secret: which password do stations send? (auth = "none" takes any)')
    return wrong + _faulty("options", lambda: configured(source))


def _broker_faults(source: Source) -> list[str]:
    wrong = _faulty("url", lambda: mqtt.address_of(source.url)) if source.url else []
    if source.decoder not in UPLINK_FORMATS:
        wrong.append(f"decoder: {source.decoder!r} does not come from a broker; {', '.join(UPLINK_FORMATS)} do")
    if not source.topics:
        wrong.append("topics: what is subscribed to?")
    return wrong


def _modbus_faults(source: Source) -> list[str]:
    wrong = _faulty("url", lambda: modbus.address_of(source.url))
    if source.decoder != "modbus":
        wrong.append('decoder: transport "modbus" has its own, "modbus"')
    return wrong + _faulty("options", lambda: modbus.maps_of(source.options))


def _faulty(field: str, look: Callable[[], object]) -> list[str]:
    try:
        look()
    except ValueError as error:  # msgspec.ValidationError is one
        return [f"{field}: {error}"]
    return []


_FAULTS: dict[str, Callable[[Source], list[str]]] = {
    "http_poll": _poll_faults,
    "http_push": _push_faults,
    "tcp": _station_faults,
    "mqtt": _broker_faults,
    "modbus": _modbus_faults,
}


def _route(source: Source, secret: str, window_s: int) -> Route:
    decode = DECODERS[source.decoder]
    if source.transport == "http_push":
        vendor = Vendor(push=PUSHES.get(source.decoder), source=source, secret=secret, window_s=window_s)
        return Route(source=source, decode=decode, vendor=vendor)
    headers = dict([auth_header(source.auth_header, secret)]) if source.auth == "header" else {}
    return Route(source=source, decode=decode, headers=headers, secret=secret)


def _compared(given: str | None, wanted: str) -> str | None:
    if given is None:
        return "missing_signature"
    return None if hmac.compare_digest(given.strip().encode(), wanted.encode()) else "bad_signature"
