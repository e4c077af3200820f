"""What do the QARTOD tests say of a whole series? The flags and names of the manuals, over numpy columns.

These look back from the last value. The causal judgement of a reading that has just come is in quality.py; it uses the
same names, flags and limits. A number that is not there is nan.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Flags = npt.NDArray[np.uint8]

GOOD: Final = 1
UNKNOWN: Final = 2
SUSPECT: Final = 3
FAIL: Final = 4
MISSING: Final = 9
WORDS: Final = {GOOD: "good", UNKNOWN: "unknown", SUSPECT: "suspect", FAIL: "fail", MISSING: "missing"}


def gross_range(
    values: Floats, fail_low: float, fail_high: float, suspect_low: float = -np.inf, suspect_high: float = np.inf
) -> Flags:
    flags = np.full(values.shape, GOOD, np.uint8)
    flags[(values < suspect_low) | (values > suspect_high)] = SUSPECT
    flags[(values < fail_low) | (values > fail_high)] = FAIL
    flags[np.isnan(values)] = MISSING
    return flags


def rate_of_change(values: Floats, seconds: Floats, suspect: float, fail: float = np.inf) -> Flags:
    """Limits in units of the value a second, from one value to the next. Beside a missing value nothing is said."""
    flags = np.full(values.shape, GOOD, np.uint8)
    rates = np.zeros(values.shape)
    rates[1:] = np.abs(np.diff(values) / np.diff(seconds))
    flags[rates > suspect] = SUSPECT
    flags[rates > fail] = FAIL
    flags[np.isnan(values)] = MISSING
    return flags


def spike(values: Floats, suspect: float, fail: float = np.inf) -> Flags:
    """How far a value lies from the middle of its two neighbours. The first and the last have no verdict."""
    flags = np.full(values.shape, GOOD, np.uint8)
    if len(values):
        away = np.zeros(values.shape)
        away[1:-1] = np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2)
        flags[away > suspect] = SUSPECT
        flags[away > fail] = FAIL
        flags[np.isnan(away)] = UNKNOWN
        flags[0] = flags[-1] = UNKNOWN
        flags[np.isnan(values)] = MISSING
    return flags


def flat_line(values: Floats, seconds: Floats, suspect_s: float, fail_s: float, tolerance: float) -> Flags:
    """Values that keep within `tolerance` for so long, counted in steps of the series' own median cadence."""
    flags = np.full(values.shape, GOOD, np.uint8)
    if len(values) >= 3:
        step_s = float(np.median(np.diff(seconds)))
        for limit_s, flag in ((suspect_s, SUSPECT), (fail_s, FAIL)):
            count = int(int(limit_s) / step_s)
            if 0 < count < len(values):
                windows = np.lib.stride_tricks.sliding_window_view(values, count + 1)
                known = np.isfinite(windows)
                highest = np.where(known, windows, -np.inf).max(axis=1)
                lowest = np.where(known, windows, np.inf).min(axis=1)
                flags[count:][known.any(axis=1) & (highest - lowest < tolerance)] = flag
        flags[np.isnan(values)] = MISSING
    return flags
