"""What is sent to an HJ 212 station? Answers: to data (9014), to a notice (9013)."""

from __future__ import annotations

from connectors.water.hj212.connection import Message
from connectors.water.hj212.frames import Packet, encode

REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER = "9011", "9012", "9013", "9014"
HEARTBEAT = "9015"  # 2025
SYSTEM = "91"
_NOTICES = frozenset(("3018", "1013", "1001"))  # uploads that are notices, not data


def answer(message: Message) -> bytes | None:
    """The answer to a message that is safe; None: it wants none.

    Its QN is the message's: a station that sent none gets none back.
    """
    packet = message.packet
    if not packet.wants_answer or packet.command in (REQUEST_ANSWER, RESULT, NOTICE_ANSWER, DATA_ANSWER):
        return None
    return _of(packet, NOTICE_ANSWER if packet.command in _NOTICES else DATA_ANSWER)


def _of(packet: Packet, command: str) -> bytes:
    fields = [f"QN={packet.fields['QN']}"] if packet.fields.get("QN") else []
    fields += [f"ST={SYSTEM}", f"CN={command}", f"PW={packet.password}", f"MN={packet.station}"]
    fields.append(f"Flag={packet.flag & ~3}")  # the version, nothing asked, not split
    return encode(";".join(fields), "")
