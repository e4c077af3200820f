"""Which topics are there, in the order of the flow, and in which partition does a row belong?"""

from __future__ import annotations

import zlib

import msgspec

from schemas.alerts import ACKNOWLEDGED


class Topic(msgspec.Struct, frozen=True):
    """One Kafka topic. Partitions are fixed from day one: the fences and the order of a series depend on them."""

    name: str
    schemas: tuple[str, ...]  # what a batch on it may carry (schemas/batch.py)
    key: str  # the fields whose crc32 chooses the partition
    partitions: int
    writer: str
    reader: str
    retention_days: int = 7  # longer than any tolerated outage of the database


PARKING_OBSERVATIONS = Topic(
    "parking.observations",
    ("parking.observation.v1", ACKNOWLEDGED, "tick.v1"),
    "source, ref",
    4,
    "connectors",
    "streams/parking",
)
WATER_READINGS = Topic(
    "water.readings",
    ("water.readings.v1", ACKNOWLEDGED, "tick.v1"),
    "source, station",
    8,
    "connectors",
    "streams/water",
)
WATER_TESTS = Topic("water.tests", ("water.test.v1", "tick.v1"), "source, station", 1, "connectors", "streams/water")
REGISTERS_CHANGES = Topic(
    "registers.changes", ("parking.share_window.v1", "tick.v1"), "source, ref", 1, "connectors", "streams/registers"
)
SOURCES_HEALTH = Topic(
    "sources.health", ("source.health.v1", ACKNOWLEDGED, "tick.v1"), "source", 1, "connectors", "streams/sources"
)
REJECTS = Topic("rejects", ("reject.v1", "tick.v1"), "source", 1, "connectors", "streams/rejects")

TOPICS = (PARKING_OBSERVATIONS, WATER_READINGS, WATER_TESTS, REGISTERS_CHANGES, SOURCES_HEALTH, REJECTS)
BY_NAME = {topic.name: topic for topic in TOPICS}
# An act of a person goes into the log of the domain that it is about. Its key is what it is about: an alert's id.
ACT_TOPICS = {"parking": PARKING_OBSERVATIONS, "water": WATER_READINGS, "platform": SOURCES_HEALTH}


def topic_of_domain(domain: str) -> Topic:
    """Where acts about a domain go; those about one that has no log of its own go where the platform's do."""
    return ACT_TOPICS.get(domain, SOURCES_HEALTH)


def series_key(source: str, ref: str) -> bytes:
    """The key of a series: the source and the source's own id. US (0x1F) cannot occur in an id."""
    return f"{source}\x1f{ref}".encode()


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key. Written out, because each client library has another default."""
    return zlib.crc32(key) % partitions
