"""Are all topics there as schemas/topics.py says, and nothing else made by accident?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from deploy.local.progress import StackError
from schemas.settings import Settings
from schemas.topics import BY_NAME, TOPICS, Topic

DAY_MS = 86_400_000


@contextmanager
def admin(settings: Settings) -> Iterator[Any]:
    client = KafkaAdminClient(
        bootstrap_servers=settings.bootstrap.split(","), client_id="citysense-admin", request_timeout_ms=15_000
    )
    try:
        yield client
    finally:
        client.close()


def ensure_topics(settings: Settings) -> list[str]:
    """Create what is missing; the names of those created.

    Raises StackError for a topic with another number of partitions: the order of its series would be another.
    """
    with admin(settings) as client:
        present = {topic["name"]: topic for topic in client.describe_topics()}
        wrong = [line for topic in TOPICS if topic.name in present for line in _faults(topic, present[topic.name])]
        if wrong:
            raise StackError("\n".join(wrong))
        missing = [topic for topic in TOPICS if topic.name not in present]
        _create(client, settings, missing)
    return [topic.name for topic in missing]


def faults(settings: Settings) -> list[str]:
    """One line for each topic that is missing or otherwise than it must be."""
    with admin(settings) as client:
        present = {topic["name"]: topic for topic in client.describe_topics()}
    found = []
    for topic in TOPICS:
        if topic.name in present:
            found.extend(_faults(topic, present[topic.name]))
        else:
            found.append(f"topic {topic.name} is missing: ./citysense migrate creates it")
    return found


def fresh_topics(settings: Settings) -> None:
    """Delete all topics and consumer groups and create the topics again: an empty log with new topic ids. For tests."""
    with admin(settings) as client:
        groups = [group["group_id"] for group in client.list_groups()]
        if groups:
            client.delete_groups(groups)
        present = set(client.list_topics()) & set(BY_NAME)
        if present:
            client.delete_topics(sorted(present))
            _wait(lambda: not present & set(client.list_topics()), "the topics were not deleted in 30 s")
        _create(client, settings, list(TOPICS))


def _faults(topic: Topic, found: dict[str, Any]) -> list[str]:
    count = len(found["partitions"])
    if count == topic.partitions:
        return []
    return [
        f"topic {topic.name} has {count} partitions, not {topic.partitions}. Partitions are fixed from day one, because"
        " each series lives in one of them: stop the connectors, let the worker apply what is there, delete the topic"
        " and start again; the ledger then begins the new log. On this machine `./citysense down --wipe` does it,"
        " with all data."
    ]


def _create(client: Any, settings: Settings, topics: list[Topic]) -> None:
    wanted = {topic.name: _definition(topic, settings) for topic in topics}
    if not wanted:
        return
    try:
        client.create_topics(wanted)
    except TopicAlreadyExistsError:
        pass  # another process was faster
    except KafkaError as error:
        raise StackError(f"Kafka did not create the topics {', '.join(wanted)}: {error}") from error
    _wait(lambda: _have_leaders(client, wanted), "Kafka named no leader for the new topics in 30 s")


def _have_leaders(client: Any, names: dict[str, Any]) -> bool:
    described = client.describe_topics(list(names))
    leaders = [partition["leader_id"] for topic in described for partition in topic["partitions"]]
    expected = sum(BY_NAME[name].partitions for name in names)
    return len(leaders) == expected and all(leader >= 0 for leader in leaders)


def _definition(topic: Topic, settings: Settings) -> dict[str, Any]:
    return {
        "num_partitions": topic.partitions,
        "replication_factor": settings.replication,
        "configs": {
            "cleanup.policy": "delete",
            "retention.ms": str(topic.retention_days * DAY_MS),
            "segment.ms": str(DAY_MS),  # a segment is deleted when its newest record is too old
            "min.insync.replicas": str(settings.min_insync_replicas),
            "unclean.leader.election.enable": "false",
        },
    }


def _wait(condition: Any, failure: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StackError(failure)
        time.sleep(0.1)
