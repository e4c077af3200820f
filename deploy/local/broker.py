"""How is a local Kafka broker (KRaft: broker and controller in one) configured, formatted and started?"""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

from deploy.local.places import Places
from deploy.local.progress import StackError
from schemas.settings import Settings

LOGGING = Path(__file__).resolve().parent / "kafka" / "log4j2.xml"


def ports_of(settings: Settings, node: int) -> tuple[int, int]:
    """The client and the controller port of a node."""
    ports = settings.ports
    return (
        (ports.kafka, ports.kafka_controller),
        (ports.kafka_2, ports.kafka_2_controller),
        (ports.kafka_3, ports.kafka_3_controller),
    )[node - 1]


def properties(where: Places, settings: Settings, node: int) -> dict[str, str]:
    client, controller = ports_of(settings, node)
    nodes = range(1, settings.brokers + 1)
    replication, insync = str(settings.brokers), str(max(1, settings.brokers - 1))
    return {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": ",".join(f"{one}@127.0.0.1:{ports_of(settings, one)[1]}" for one in nodes),
        "listeners": f"PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{client}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(where.kafka_data(node)),
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "default.replication.factor": replication,
        "min.insync.replicas": insync,
        "offsets.topic.replication.factor": replication,
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": replication,
        "transaction.state.log.min.isr": insync,
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": replication,
        "share.coordinator.state.topic.min.isr": insync,
        "group.initial.rebalance.delay.ms": "0",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "num.recovery.threads.per.data.dir": "2",
        "log.cleaner.dedupe.buffer.size": "8388608",
        "log.segment.bytes": "67108864",
    }


def prepare(where: Places, settings: Settings, node: int) -> None:
    """Write the node's configuration; format its folder the first time."""
    _logging(where).write_bytes(LOGGING.read_bytes())
    path = where.kafka_properties(node)
    wanted = properties(where, settings, node)
    path.write_text("".join(f"{key}={value}\n" for key, value in wanted.items()), encoding="utf-8")
    data = where.kafka_data(node)
    if (data / "meta.properties").exists():
        return
    data.mkdir(mode=0o750, exist_ok=True)
    where.give_to_service(data)
    argv = [*_java(where, heap_mb=128), "kafka.tools.StorageTool", "format"]
    argv += [f"--cluster-id={_cluster_id(where)}", "--config", str(path)]  # one in 64 ids begins with a dash
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", **where.service_user)
    if done.returncode:
        raise StackError(f"Kafka could not format {data}:\n{(done.stderr or done.stdout).strip()[-2000:]}")


def command(where: Places, settings: Settings, node: int) -> list[str]:
    return [*_java(where, settings.stack.kafka_heap_mb), "kafka.Kafka", str(where.kafka_properties(node))]


def _java(where: Places, heap_mb: int) -> list[str]:
    return [
        "java",
        f"-Xms{min(heap_mb, 96)}m",
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={_logging(where)}",
        "-cp",
        f"{where.kafka_jars}/*",
    ]


def _logging(where: Places) -> Path:
    """A copy beside the data: another user cannot read a checkout in root's home."""
    return where.instance / "log4j2.xml"


def _cluster_id(where: Places) -> str:
    """The nodes of one instance share it; a wiped instance gets another, so its topics are a new log."""
    path = where.instance / "kafka-cluster-id"
    if not path.exists():
        path.write_text(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
