"""How do records get from Kafka to an agent? In runs: neighbours of one partition are one message of Faust.

Faust costs 110-290 us for each of its messages, whatever is in it: four tasks, two locks, two queues, its sensors. A
station's frame is a record of one row, so an hour of them (300,000) would cost over a minute before a row is looked at.
As runs they cost little each, and all else stays Faust's own: flow control, pauses, generations, seeks, revocation.

An agent acknowledges a run when all of it is applied. So Kafka is told of whole runs only, and after a crash a part of
a run may come again, cut elsewhere: the fence skips it record by record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from faust.transport.drivers import aiokafka
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.ledger import Record

LOOK_AGAIN_S = 0.05
RUN_BYTES = 64 * 1024  # a record that is longer is a run of its own; so buffers hold no more bytes than without runs
RUN_RECORDS = 500


class RunConsumer(aiokafka.Consumer):
    """Delivers runs. The value of a message is a list of `Record`, its offset that of the last of them."""

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 the signature is Faust's
        """What was fetched, as runs.

        Looks again soon at partitions whose buffer was full: Faust's own waits a whole second for records of idle
        topics while the busy one's buffer runs empty, and no longer reads it. Half of the rate in a backlog was lost
        so (measured).
        """
        fetched = await super()._getmany(active_partitions, min(timeout, LOOK_AGAIN_S))
        return {tp: list(runs(records)) for tp, records in fetched.items()}

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        message = super()._to_message(tp, record[-1])
        message.value = [Record(tp.partition, each.offset, each.value or b"") for each in record]  # type: ignore[assignment]
        return message

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit: after the newest run that was acknowledged.

        Nothing before it is open: an agent acknowledges what the ledger has applied, and the ledger stops at a hole.
        (Faust counts offsets one by one here, which fails for runs; and its count passes over what is under way when
        nothing is committed yet, or the offset 0.)
        """
        acked = self._acked[tp]
        if not acked:
            return None
        newest = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return newest + 1

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Between the ends of two runs there is no gap; a hole in the log is the ledger's question."""


class RunTransport(aiokafka.Transport):
    Consumer = RunConsumer


def runs(records: Iterable[Any]) -> Iterator[list[Any]]:
    """Records of one partition, cut where a run gets too long."""
    run: list[Any] = []
    size = 0
    for record in records:
        length = len(record.value or b"")
        if run and (size + length > RUN_BYTES or len(run) == RUN_RECORDS):
            yield run
            run, size = [], 0
        run.append(record)
        size += length
    if run:
        yield run
