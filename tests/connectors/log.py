"""What is in the log? All records of a topic, read from Kafka, partition by partition."""

from __future__ import annotations

from typing import Any

from kafka import KafkaConsumer, TopicPartition

from schemas import batch
from schemas.settings import Settings
from schemas.topics import Topic


def batches(settings: Settings, topic: Topic) -> dict[int, list[batch.DecodedBatch]]:
    """The batches of each partition in order, ticks included."""
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    consumer = KafkaConsumer(bootstrap_servers=settings.bootstrap.split(","), enable_auto_commit=False)
    try:
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        found: dict[int, list[batch.DecodedBatch]] = {partition.partition: [] for partition in partitions}
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for partition, records in consumer.poll(timeout_ms=500).items():
                found[partition.partition] += [batch.decode(record.value) for record in records]
        return found
    finally:
        consumer.close()


def rows(settings: Settings, topic: Topic) -> list[Any]:
    """The rows of all partitions without the ticks, each partition in order."""
    return [
        row
        for found in batches(settings, topic).values()
        for one in found
        if one.schema != "tick.v1"
        for row in one.each()
    ]
