"""What do stations say in HJ 212 (2005, 2017, 2025), and what is answered? Bytes in, rows and bytes to send out.

connection.py one connection: bytes to messages (frames.py one packet)
readings.py   a message becomes readings and rejects
replies.py    answers
decode.py     recorded packets for the command line
"""

from connectors.water.hj212.decode import decode

__all__ = ["decode"]
