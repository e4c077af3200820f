"""What does ioos_qc say of the shared series? Run where it is installed; its answers are kept beside the tests.

pip install ioos_qc==3.0.0 && python -m tests.streams.water.qartod_oracle > tests/streams/water/qartod_expected.json
"""

from __future__ import annotations

import importlib
import json
from typing import Any

import numpy as np

from streams.water.qartod import Floats

LIMITS = {
    "gross_range": [0.0, 3.0, 0.1, 2.0],
    "rate_of_change": [0.0015, 0.003],
    "spike": [0.2, 0.5],
    "flat_line": [1800, 3600, 0.005],
}


def shared_series() -> dict[str, Floats]:
    dice = np.random.default_rng(20180601)
    steps = np.arange(60)
    quiet = np.round(0.28 + 0.003 * dice.integers(-1, 2, 60), 4)
    flood = np.round(0.28 + 1.6 * np.exp(-(((steps - 25) / 9.0) ** 2)) + 0.003 * dice.integers(-1, 2, 60), 4)
    spiky = flood.copy()
    spiky[[7, 19, 40, 41, 55]] += [1.9, -0.7, 2.5, 1.1, 0.31]
    spiky = np.round(spiky, 4)
    gaps = spiky.copy()
    gaps[[3, 18, 30, 31, 58]] = np.nan
    stuck = flood.copy()
    stuck[30:50] = stuck[30]
    outside = spiky.copy()
    outside[[0, 59]] = [-0.4, 4.4]
    return {"quiet": quiet, "flood": flood, "spiky": spiky, "gaps": gaps, "stuck": stuck, "outside": outside}


def flags(masked: Any) -> list[int]:
    return [int(flag) for flag in np.ma.filled(masked, 9)]


def expected() -> dict[str, Any]:
    qartod = importlib.import_module("ioos_qc.qartod")
    series = []
    for name, values in shared_series().items():
        late_half = np.where((np.arange(len(values)) > 33) & (name == "spiky"), 900, 0)
        seconds = np.arange(len(values)) * 300 + late_half
        times = seconds.astype("datetime64[s]")
        low, high, suspect_low, suspect_high = LIMITS["gross_range"]
        series.append(
            {
                "name": name,
                "seconds": [int(second) for second in seconds],
                "values": [None if np.isnan(value) else float(value) for value in values],
                "gross_range": flags(qartod.gross_range_test(values, (low, high), (suspect_low, suspect_high))),
                "rate_of_change": flags(qartod.rate_of_change_test(values, times, *LIMITS["rate_of_change"])),
                "spike": flags(qartod.spike_test(values, *LIMITS["spike"])),
                "flat_line": flags(qartod.flat_line_test(values, times, *LIMITS["flat_line"])),
            }
        )
    return {"made_with": "ioos_qc 3.0.0", "limits": LIMITS, "series": series}


if __name__ == "__main__":
    print(json.dumps(expected()))
