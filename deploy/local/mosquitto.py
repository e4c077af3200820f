"""How is the MQTT broker of the local stack configured and started? Debian's mosquitto, on loopback.

It keeps what its subscribers have not acknowledged, without a limit but the disk. It answers a message before it writes
it: what it took in its last two seconds it forgets when it is killed, but for what a connector has by then. Writing at
each change would not close that gap, and would make a backlog of n messages cost n writes of all n. Who publishes and
must lose nothing keeps each message for some seconds after its answer and sends it again when the connection broke
within them (demo/water/gateways.py).
On a network it needs users and TLS: another one is named in the source's url then.
"""

from __future__ import annotations

import os
import shutil

from deploy.local.places import Places
from schemas.settings import Settings

SAVE_S = 1


def configuration(where: Places, settings: Settings) -> str:
    lines = {
        "listener": f"{settings.ports.mqtt} 127.0.0.1",
        "allow_anonymous": "true",
        "persistence": "true",
        "persistence_location": f"{where.mosquitto}/",
        "autosave_interval": str(SAVE_S),
        "persistent_client_expiration": "14d",
        "max_queued_messages": "0",
        "max_inflight_messages": "1000",
        "max_packet_size": str(settings.connectors.push_body_limit_bytes),
        "log_dest": "stdout",
        "connection_messages": "false",
    }
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def prepare(where: Places, settings: Settings) -> None:
    where.mosquitto.mkdir(mode=0o750, exist_ok=True)
    where.give_to_service(where.mosquitto)
    path = where.mosquitto / "mosquitto.conf"
    path.write_text(configuration(where, settings), encoding="utf-8")
    where.give_to_service(path)


def command(where: Places) -> list[str]:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "mosquitto"
    return [program, "-c", str(where.mosquitto / "mosquitto.conf")]
