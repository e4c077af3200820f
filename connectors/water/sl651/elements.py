"""Which quantity is an SL 651 element, and how is it called in the ASCII encoding? The tables of the standard.

A quantity that has no word of ours is `other` and keeps its code. The names of the ASCII encoding are from memory of
the standard's appendix C where no recorded frame shows them.
"""

from __future__ import annotations

from schemas.water import Element

ELEMENT_OF: dict[str, Element] = {
    "03": "temperature_c",  # of the water
    "09": "gate_opening_m",
    "1A": "rain_1h_mm",
    "1B": "rain_2h_mm",
    "1C": "rain_3h_mm",
    "1D": "rain_6h_mm",
    "1E": "rain_12h_mm",
    "1F": "rain_24h_mm",
    "20": "rain_day_mm",
    "21": "rain_1min_mm",
    "22": "rain_5min_mm",
    "23": "rain_10min_mm",
    "24": "rain_30min_mm",
    "26": "rain_total_mm",
    "27": "flow_m3s",
    "37": "velocity_ms",
    "38": "voltage_v",
    "39": "level_m",
    "3A": "level_below_gate_m",
    "3B": "level_above_gate_m",
    "45": "status_bits",
    "F4": "rain_5min_mm",
    "F5": "level_relative_m",  # level_m where the station's reference value is known
}
LEVELS = frozenset(("39", "3A", "3B", "F5"))  # what a fault of the level gauge makes doubtful

_NAMES = {
    0x01: "AC AI C",
    0x05: "DT ED EJ FL GH GN GS GT GTP H HW M10 M20 M30 M40 M50 M60 M80 M100 MST NS P1 P2 P3 P6 P12 PD",
    0x20: "PJ PN01 PN05 PN10 PN30 PR PT Q Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 QA QZ SW UC UE US VA VJ VT Z ZB ZU",
    0x3C: "Z1 Z2 Z3 Z4 Z5 Z6 Z7 Z8 SQ ZT PH DO COND TURB CODMN REDOX NH4N TP TN TOC CU ZN SE AS THG CD PB CHLA",
    0x58: "WP1 WP2 WP3 WP4 WP5 WP6 WP7 WP8 SYL1 SYL2 SYL3 SYL4 SYL5 SYL6 SYL7 SYL8",
    0x68: "SBL1 SBL2 SBL3 SBL4 SBL5 SBL6 SBL7 SBL8 VTA VTB VTC VIA VIB VIC",
    0xF4: "DRP DRZ1 DRZ2 DRZ3 DRZ4 DRZ5 DRZ6 DRZ7 DRZ8",
}  # names of consecutive codes
NAME_OF: dict[str, str] = {
    f"{first + place:02X}": name for first, names in _NAMES.items() for place, name in enumerate(names.split())
}
CODE_OF: dict[str, str] = {name: code for code, name in NAME_OF.items()}

CLASSES = "PHKZDTGQIO"  # the letter of a station's class: its byte in HEX/BCD is the letter's code
