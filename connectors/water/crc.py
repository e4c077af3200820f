"""How do water protocols protect their frames? Three checksums, each over a table."""

from __future__ import annotations


def _table16(polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = (register >> 1) ^ (polynomial if register & 1 else 0)
        table.append(register)
    return tuple(table)


def _table8(polynomial: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = ((register << 1) ^ (polynomial if register & 0x80 else 0)) & 0xFF
        table.append(register)
    return tuple(table)


_A001 = _table16(0xA001)
_E5 = _table8(0xE5)


def crc16_modbus(data: bytes) -> int:
    """SL 651: polynomial A001 reflected, from FFFF."""
    register = 0xFFFF
    table = _A001
    for byte in data:
        register = (register >> 8) ^ table[(register ^ byte) & 0xFF]
    return register


def crc16_hj212(data: bytes) -> int:
    """HJ 212 appendix A: the byte meets the high half of the register, so this is not the Modbus checksum."""
    register = 0xFFFF
    table = _A001
    for byte in data:
        register = table[(register >> 8) ^ byte]
    return register


def crc8_szy206(data: bytes) -> int:
    """SZY 206: polynomial E5, from 0."""
    register = 0
    table = _E5
    for byte in data:
        register = table[register ^ byte]
    return register
