"""Are the checksums those of the standards?"""

from __future__ import annotations

from connectors.water.crc import crc8_szy206, crc16_hj212, crc16_modbus


def test_the_check_value_of_crc16_modbus() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37


def test_hj212_is_another_one() -> None:
    """Written out as in appendix A, bit by bit."""
    data = b"ST=32;CN=2011;PW=123456;MN=LD0001;CP=&&&&"
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    assert crc16_hj212(data) == register != crc16_modbus(data)


def test_crc8_of_szy206() -> None:
    """Polynomial E5, from 0, not reflected: of one byte 01 it is the polynomial itself."""
    assert (crc8_szy206(b"\x01"), crc8_szy206(b"\x02"), crc8_szy206(b"")) == (0xE5, 0x2F, 0)
