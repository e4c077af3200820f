"""What do hydrological stations say in SL 651-2014, and what is answered? Bytes in, rows and bytes to send out.

connection.py one connection: bytes to messages (frames.py one frame, packets.py messages of many frames)
body.py       the body in HEX/BCD; body_ascii.py the body as words; values.py digits; elements.py the tables
reports.py    a message becomes readings, test reports and rejects; clock.py whose time is believed
replies.py    answers and questions; encode.py writes frames
answers.py    what a station answers about itself
decode.py     recorded frames for the command line
"""

from connectors.water.sl651.decode import decode

__all__ = ["decode"]
