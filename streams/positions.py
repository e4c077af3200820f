"""Where does reading start? The fences decide, not the consumer group: a restored database heals by itself.

Before a worker joins, each topic's fences are brought into line with the log that Kafka has, and the group's offsets
with the fences (Kafka refuses that while the group has members: then others read already, from the fences too).
"""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.structs import OffsetAndMetadata, TopicPartition

from schemas.topics import Topic
from sql.connect import Connection
from streams.errors import StopWorker


class LogState(msgspec.Struct, frozen=True):
    """One partition as Kafka has it: the id of the topic, the first offset that is kept, the one that comes next."""

    topic_id: str
    beginning: int
    end: int


class Fence(msgspec.Struct, frozen=True):
    topic_id: str
    next_offset: int


class Incident(msgspec.Struct, frozen=True):
    kind: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    detail: str


def align(topic: str, partition: int, fence: Fence | None, log: LogState) -> tuple[Fence, Incident | None]:
    """The fence that fits the log, and what a person must know about it. Pure.

    Raises StopWorker when the log is shorter than what was applied from it: that cannot be explained away.
    """
    start = Fence(log.topic_id, log.beginning)
    if fence is None:
        if log.beginning == 0:
            return start, None
        detail = f"this database has never read {topic}/{partition}, whose first {log.beginning} records are gone"
        return start, Incident("retention_gap", topic, partition, 0, log.beginning - 1, detail)
    if fence.topic_id != log.topic_id:
        detail = f"{topic}/{partition} is a new log ({log.topic_id}, was {fence.topic_id}): reading from its beginning"
        return start, Incident("new_log", topic, partition, log.beginning, log.end, detail)
    if log.end < fence.next_offset:
        raise StopWorker(
            f"{topic}/{partition} ends at {log.end}, but {fence.next_offset} records of it were applied: Kafka lost the"
            " end of its log. If that is known and accepted, delete and create the topic anew (it gets a new id)."
        )
    if log.beginning > fence.next_offset:
        lost = log.beginning - fence.next_offset
        detail = f"{lost} records of {topic}/{partition} were deleted by retention before they were applied"
        return start, Incident("retention_gap", topic, partition, fence.next_offset, log.beginning - 1, detail)
    return fence, None


def log_states(bootstrap: str, topics: tuple[Topic, ...]) -> dict[str, dict[int, LogState]]:
    """What Kafka has of these topics. Raises StopWorker when one is missing or has other partitions than designed."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        described = {topic["name"]: topic for topic in admin.describe_topics([topic.name for topic in topics])}
    finally:
        admin.close()
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        return {topic.name: _log_state(topic, described.get(topic.name), consumer) for topic in topics}
    finally:
        consumer.close()


def _log_state(topic: Topic, described: Any, consumer: KafkaConsumer) -> dict[int, LogState]:
    found = len(described["partitions"]) if described else 0
    if found != topic.partitions:
        raise StopWorker(f"topic {topic.name} has {found} partitions, not {topic.partitions}: run ./citysense doctor")
    partitions = [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
    beginnings = consumer.beginning_offsets(partitions)
    ends = consumer.end_offsets(partitions)
    topic_id = str(described["topic_id"])
    return {tp.partition: LogState(topic_id, beginnings[tp], ends[tp]) for tp in partitions}


_ALL = "select topic, partition, topic_id, next_offset from stream_fence"
_READ = "select partition, topic_id, next_offset from stream_fence where topic = %s order by partition for update"
_WRITE = (
    "insert into stream_fence (topic, partition, topic_id, next_offset) values (%s, %s, %s, %s)"
    " on conflict (topic, partition) do update set topic_id = excluded.topic_id, next_offset = excluded.next_offset"
)
_INCIDENT = (
    "insert into stream_incident (kind, topic, partition, first_offset, last_offset, detail)"
    " values (%s, %s, %s, %s, %s, %s)"
)
_STOPPED = "select distinct topic from stream_incident where kind = 'poison_stop' and closed_at is null"


Fences = dict[int, Fence]  # of a topic, by partition


def fences_now(connection: Connection) -> dict[str, Fences]:
    """How far each topic is applied. To be read before the log is looked at: others apply meanwhile."""
    found: dict[str, Fences] = {}
    with connection.transaction():
        for topic, partition, topic_id, offset in connection.execute(_ALL):
            found.setdefault(topic, {})[partition] = Fence(topic_id, offset)
    return found


def align_fences(connection: Connection, topic: str, logs: dict[int, LogState], before: Fences) -> Fences:
    """Bring the fences of a topic into line with its log, in one transaction with what must be known of it.

    `before`: the fences before the log was looked at. One that others have moved since is in line: they read that log.
    """
    with connection.transaction(), connection.cursor() as cursor:
        return _align_all(cursor, topic, logs, before)


def _align_all(cursor: psycopg.Cursor[Any], topic: str, logs: dict[int, LogState], before: Fences) -> Fences:
    stored = {partition: Fence(topic_id, offset) for partition, topic_id, offset in cursor.execute(_READ, (topic,))}
    fences = {}
    for partition, log in sorted(logs.items()):
        here = stored.get(partition)
        if here is not None and here.topic_id == log.topic_id and here != before.get(partition):
            fences[partition] = here
            continue
        fence, incident = align(topic, partition, here, log)
        fences[partition] = fence
        if fence != here:
            cursor.execute(_WRITE, (topic, partition, fence.topic_id, fence.next_offset))
        if incident is not None:
            cursor.execute(_INCIDENT, msgspec.structs.astuple(incident))
    return fences


def stopped_topics(connection: Connection) -> set[str]:
    """The topics that a flood of dead letters stopped, and no person has released."""
    with connection.transaction():
        return {topic for (topic,) in connection.execute(_STOPPED)}


def set_group_offsets(bootstrap: str, group: str, fences: dict[str, dict[int, Fence]]) -> bool:
    """Let an empty group start at the fences; False when it has members, who started from the fences themselves."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        described = admin.describe_groups([group])
        members = described[group]["members"] if isinstance(described, dict) and group in described else []
        if members:
            return False
        offsets = {
            TopicPartition(topic, partition): OffsetAndMetadata(fence.next_offset, "", -1)
            for topic, partitions in fences.items()
            for partition, fence in partitions.items()
        }
        admin.alter_group_offsets(group, offsets)
        return True
    finally:
        admin.close()
