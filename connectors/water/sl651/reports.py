"""Which readings are in a message? A report becomes rows and rejects, by the station's facts and its clock.

A reading's station is the one that the body names, else the header's; another than the header's only where the
register lets it. An element that cannot be read is a reject beside its neighbours: a frame with it alone.

Readings of F4 to FC are 12 values 5 minutes apart. They begin at the observation time (recorded stations say 10:05 for
the hour that ends at 11:00), unless that is a full hour or would end after the message was sent: then they end at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from connectors.decoding import Decoded, SourceContext, Unreadable, raw_ref, reject
from connectors.water.sl651 import clock, encode
from connectors.water.sl651.body import LISTED, Group, Item, Report, parse
from connectors.water.sl651.body_ascii import parse_ascii, parse_manual
from connectors.water.sl651.elements import ELEMENT_OF, LEVELS
from connectors.water.sl651.frames import LENGTH_LIMIT
from connectors.water.sl651.packets import Message
from connectors.water.sl651.replies import ADDED, CHOSEN, MANUAL, MANUAL_QUERY, PERIOD, REAL_TIME, TEST
from connectors.water.stations import NONE_KNOWN, Stations
from schemas.batch import Row
from schemas.fields import EARLIEST
from schemas.source import Reject
from schemas.water import StationReading, StationTest

FLAG_OF = {
    ADDED: "threshold",
    MANUAL: "manual",
    REAL_TIME: "queried",
    PERIOD: "backfill",
    MANUAL_QUERY: "manual",
    CHOSEN: "queried",
}
DOUBTS = {1 << 1: "low_battery", 1 << 6: "gauge_fault"}  # bits of element 45 that make the levels beside it doubtful
PRIVATE = 0xE0


def report_of(message: Message) -> Report:
    """Raises Unreadable."""
    frame = message.frame
    return (parse_ascii if frame.encoding == "ascii" else parse)(frame.function, message.content)


def decoded(message: Message, source: SourceContext, stations: Stations = NONE_KNOWN) -> Decoded:
    """Rows and rejects of one message of a station that was admitted."""
    try:
        report = report_of(message)
        if message.frame.function >= PRIVATE:
            raise Unreadable("private_function", f"function {message.frame.function:02X} is the maker's own")
        if report.picture is not None:
            raise Unreadable("picture", f"{len(report.picture)} bytes")
        if message.frame.function not in LISTED or message.frame.is_downlink:
            return Decoded(rows=[], rejects=[])
        return _Rows(message, report, source, stations).decoded()
    except Unreadable as error:
        return Decoded(rows=[], rejects=[reject(source, message.text, error.reason, error.detail)])


class _Rows:
    def __init__(self, message: Message, report: Report, source: SourceContext, stations: Stations) -> None:
        self._message = message
        self._report = report
        self._source = source
        self._stations = stations
        self._frame = message.frame
        self._raw_ref = raw_ref(message.frame.data if len(message.frames) == 1 else message.text.encode())
        self._manual = Group(None, None, None, parse_manual(report.manual)) if report.manual else None
        self._groups = (*report.groups, self._manual) if self._manual else report.groups
        self._sent = clock.instant(report.sent, source.zone)
        self._is_clock_wrong = clock.is_wrong(self._sent, source.received_at)
        bits = [
            int(item.values[0])
            for group in self._groups
            for item in group.items
            if item.code == "45" and item.values and item.values[0] is not None
        ]
        self._doubts = tuple(word for bit, word in DOUBTS.items() if any(each & bit for each in bits))
        flag = FLAG_OF.get(self._frame.function)
        self._flags: tuple[str, ...] = (flag,) if flag else ()
        self._rejects: list[Reject] = []

    def decoded(self) -> Decoded:
        rows: list[Row] = []
        told: dict[str, float | list[float | None] | None] = {}
        for group in self._groups:
            if self._is_foreign(group):
                for item in group.items:
                    self._refuse(group, item, "other_station", f"the frame is of station {self._frame.station}")
                continue
            for item in group.items:
                if item.fault is not None:
                    self._refuse(group, item, item.fault.reason, item.fault.detail)
                elif self._frame.function == TEST:
                    values = list(item.values)
                    told[ELEMENT_OF.get(item.code, item.code)] = values if len(values) > 1 else values[0]
                else:
                    rows += self._readings(group, item)
        if self._frame.function == TEST:
            rows.append(self._test(told))
        return Decoded(rows=rows, rejects=self._rejects)

    def _readings(self, group: Group, item: Item) -> Sequence[StationReading]:
        source, station = self._source, group.station or self._frame.station
        code, flags, values = item.code, self._flags, item.values
        element = ELEMENT_OF.get(code, "other")
        if code == "F5" and (reference := self._reference(station)) is not None:
            element = "level_m"
            values = tuple(None if value is None else round(value + reference, 3) for value in values)
        try:
            times, is_wrong = self._times(group, item)
        except Unreadable as error:
            self._refuse(group, item, error.reason, error.detail)
            return ()
        if is_wrong:
            flags = ("clock", *flags)
        if len(code) == 2 and "F5" <= code <= "FC":
            flags = (*flags, "coarse")
        doubtful = self._doubts and code in LEVELS
        if doubtful:
            flags = (*flags, *self._doubts)
        return [
            StationReading(
                source=source.source,
                station=station,
                element=element,
                observed_at=at,
                received_at=source.received_at,
                value=value,
                quality="missing" if value is None else "suspect" if doubtful else "unknown",
                flags=flags,
                raw_ref=self._raw_ref,
                code=code if element == "other" else None,
            )
            for at, value in zip(times, values, strict=True)
        ]

    def _times(self, group: Group, item: Item) -> tuple[Iterable[datetime], bool]:
        """When each value of an element was true, and whether the station's clock is wrong. Raises Unreadable."""
        digits = group.observed or self._report.sent[:10]
        observed = clock.instant(digits, self._source.zone)
        wrong = self._is_clock_wrong or clock.is_wrong(observed, self._source.received_at)
        if wrong or observed is None:
            if self._frame.function == PERIOD:  # it can be of any time
                raise Unreadable("bad_time", f"{digits} of a clock that is wrong")
            observed = self._source.received_at
        if item.spacing is None:
            if len(item.values) > 1:
                raise Unreadable("no_step", f"{len(item.values)} values and no time between them")
            return (self._second_of(observed),), wrong
        try:
            span = item.spacing * (len(item.values) - 1)
            is_full_hour = digits[8:10] == "00" and not item.is_stepped
            is_late = wrong or self._sent is None or observed + span > self._sent + clock.AHEAD_LIMIT
            first = observed - span if is_full_hour or is_late else observed
        except OverflowError as error:
            raise Unreadable("bad_time", f"{len(item.values)} values {item.spacing} apart") from error
        if first < EARLIEST:
            raise Unreadable("bad_time", f"the first of {len(item.values)} values would be of {first.isoformat()}")
        return [first + item.spacing * place for place in range(len(item.values))], wrong

    def _second_of(self, observed: datetime) -> datetime:
        """The value of now was true when it was sent. Its own time has the minute alone, and of that a report may have
        come already: the question was asked because of it."""
        sent, is_of_now = self._sent, self._frame.function in (REAL_TIME, CHOSEN)
        return sent if is_of_now and sent is not None and sent.replace(second=0) == observed else observed

    def _test(self, told: dict[str, float | list[float | None] | None]) -> StationTest:
        source = self._source
        return StationTest(
            source=source.source,
            station=self._frame.station,
            observed_at=None if self._is_clock_wrong else self._sent,
            received_at=source.received_at,
            serial=self._report.serial,
            elements=told,
            raw_ref=self._raw_ref,
        )

    def _reference(self, station: str) -> float | None:
        facts = self._stations.get(station)
        return facts.reference_value_m if facts is not None else None

    def _is_foreign(self, group: Group) -> bool:
        facts = self._stations.get(self._frame.station)
        if group.station in (None, self._frame.station) or facts is None or facts.speaks_for is None:
            return False
        return group.station not in facts.speaks_for

    def _refuse(self, group: Group, item: Item, reason: str, detail: str) -> None:
        self._rejects.append(reject(self._source, self._alone(group, item), reason, detail))

    def _alone(self, group: Group, item: Item) -> str:
        """A frame with this element alone, as hex digits; the whole message where its place in a series gives sense."""
        if item.is_stepped:
            return self._message.text
        frame, report = self._frame, self._report
        if group is self._manual:
            body = (b"RGZS " if frame.encoding == "ascii" else b"\xf2\xf2") + item.raw
        else:
            body = encode.group(Group(group.station, group.category, group.observed, (item,)), frame.encoding)
        content = encode.content(report.serial, report.sent, body, frame.encoding)
        if len(content) > LENGTH_LIMIT:  # of a message of many packets
            return self._message.text
        return (
            encode.frame(
                function=frame.function,
                content=content,
                station=frame.station,
                centre=frame.centre,
                password=frame.password,
                encoding=frame.encoding,
            )
            .hex()
            .upper()
        )
