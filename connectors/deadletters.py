"""How does a dead letter come back into the log? Decoded again with today's code, published, then marked replayed.

A reject goes through the decoder of its source again; a row that broke its contract is read again as a row. What comes
out is published with the received_at of the letter, so it takes the place in time that it should have had. A letter is
marked only when Kafka has confirmed every row; one that still cannot be read stays open.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from connectors.decoding import context_of
from connectors.formats import DECODERS
from connectors.kafka import Publisher
from schemas import batch
from schemas.batch import ROW_TYPES, Row
from schemas.settings import Settings, SettingsError
from schemas.source import Reject
from schemas.topics import REJECTS
from sql.connect import Connection

AT_A_TIME = 500

_CHOSEN = """
select d.letter_id, d.topic, d.row_index, d.schema, d.source, d.received_at, d.reason, d.raw, p.body
from dead_letter d left join raw_payload p on p.sha256 = d.raw_sha256
where d.state = 'open' and d.letter_id > %(after)s
  and (%(ids)s::bigint[] is null or d.letter_id = any(%(ids)s))
  and (%(source)s = '' or d.source = %(source)s) and (%(reason)s = '' or d.reason = %(reason)s)
order by d.letter_id limit %(limit)s
"""
_REPLAYED = """
update dead_letter set state = 'replayed', replayed_at = now(), replayed_by = %s
where letter_id = any(%s) and state = 'open'
"""


class Letter(msgspec.Struct, frozen=True):
    letter_id: int
    topic: str
    row_index: int
    schema: str | None
    source: str | None
    received_at: datetime | None
    reason: str
    raw: bytes
    payload: bytes | None  # the whole, when the raw is only its beginning; compressed


class Outcome(msgspec.Struct):
    replayed: int = 0
    rows: int = 0
    still_bad: dict[int, str] = {}


class StillBad(ValueError):
    """This letter cannot become rows yet, and why."""


async def replay(
    connection: Connection,
    publisher: Publisher,
    settings: Settings,
    by: str,
    ids: Sequence[int] | None = None,
    source: str = "",
    reason: str = "",
) -> Outcome:
    """Replays the open letters that fit. Raises NotConfirmed when Kafka is away: what was confirmed is marked."""
    outcome = Outcome()
    after = 0
    while letters := chosen(connection, after, ids, source, reason):
        after = letters[-1].letter_id
        rows: list[Row] = []
        done: list[int] = []
        for letter in letters:
            try:
                rows.extend(rows_of(letter, settings))
                done.append(letter.letter_id)
            except StillBad as error:
                outcome.still_bad[letter.letter_id] = str(error)
        await publisher.publish(rows)
        with connection.transaction():
            connection.execute(_REPLAYED, (by, done))
        outcome.replayed += len(done)
        outcome.rows += len(rows)
    return outcome


def chosen(connection: Connection, after: int, ids: Sequence[int] | None, source: str, reason: str) -> list[Letter]:
    values = {
        "after": after,
        "ids": None if ids is None else list(ids),
        "source": source,
        "reason": reason,
        "limit": AT_A_TIME,
    }
    with connection.transaction():
        return [Letter(*found) for found in connection.execute(_CHOSEN, values).fetchall()]


def rows_of(letter: Letter, settings: Settings) -> list[Row]:
    """The rows that a letter becomes today. Raises StillBad."""
    return _decoded(letter, settings) if letter.topic == REJECTS.name else _rows(letter)


def _decoded(letter: Letter, settings: Settings) -> list[Row]:
    try:
        source = settings.source(letter.source or "")
    except SettingsError as error:
        raise StillBad(str(error)) from error
    if source.decoder not in DECODERS:
        raise StillBad(f"there is no decoder {source.decoder!r}")
    if letter.received_at is None:
        raise StillBad("the letter has no received_at")
    if letter.reason in ("bad_signature", "missing_signature", "stale_timestamp"):
        raise StillBad("its sender was not believed")
    payload = letter.raw if letter.payload is None else zlib.decompress(letter.payload)
    decoded = DECODERS[source.decoder](payload, context_of(source, letter.received_at))
    # a whole payload has good neighbours that are in the log already: they are repetitions there, and good again
    if decoded.rejects:
        first: Reject = decoded.rejects[0]
        raise StillBad(f"{len(decoded.rejects)} of {decoded.items} items: {first.reason}: {first.detail[:200]}")
    return decoded.rows


def _rows(letter: Letter) -> list[Row]:
    if letter.row_index >= 0 and letter.schema in ROW_TYPES:
        try:
            return [msgspec.json.decode(letter.raw, type=ROW_TYPES[letter.schema])]
        except msgspec.MsgspecError as error:
            raise StillBad(str(error)) from error
    try:
        decoded = batch.decode(letter.raw)
    except batch.BatchError as error:
        raise StillBad(str(error)) from error
    if decoded.bad:
        raise StillBad(f"{len(decoded.bad)} bad rows: {decoded.bad[0].detail}")
    return [] if decoded.schema == "tick.v1" else decoded.each()
