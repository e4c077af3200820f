"""How good is a value, in the words of QARTOD? The flags of the manuals, and the columns in which they are kept.

The tests themselves judge a reading when it comes (quality.py), and a line at a minute (stuck.py).
tests/streams/water/test_qartod.py shows that they say what ioos_qc says of a whole series.
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
