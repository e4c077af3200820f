"""How hard does it rain, and when? A synthetic storm: no gauge recorded it. Pure.

Its hyetograph is made so that its maxima over 1 h to 72 h are those that were measured in Luohu on 2023-09-07 and 08
(Chen W. et al., China Water Resources 2024), which were reached at three stations; here one gauge has them all. The
temporal pattern is ours: blocks nested around one peak hour, each less intense than the one inside it, so that the
wettest window of each duration is the block itself. In an hour of the wall clock `factor` hours of it pass.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate

import msgspec

LABEL_ZH = "演示：合成暴雨（按2023年9月7日各历时最大雨量构造，非实测过程）"
LABEL_EN = "demo: a synthetic storm built from the duration maxima of 2023-09-07, not a recorded event"
MAXIMA_MM = {1: 116.8, 2: 180.7, 3: 243.2, 6: 355.2, 12: 465.5, 24: 560.0, 48: 615.4, 72: 619.0}  # by hours
STEP_MIN = 5
HOURS = 72
STEPS = HOURS * 60 // STEP_MIN
PEAK_SHARE = 0.4  # of the storm lies before its peak hour
BEFORE_PEAK_MIN = 6 * 60  # a demo begins so long before the peak hour
FACTOR = 24.0
FASTEST = 240.0  # four of its hours in a minute, and stations speak once a minute
_PEAK_SHAPE = (0.75, 0.80, 0.88, 0.97, 1.08, 1.22, 1.38, 1.24, 1.08, 0.97, 0.85, 0.78)  # of the hour, sums to 12


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """The storm as it passes now: it stood at `from_min` at `began`."""

    began: datetime
    factor: float = FACTOR
    from_min: float = -1.0  # of the storm; negative: so long before its peak as a demo begins

    @property
    def start_min(self) -> float:
        """Where it stood when it began here."""
        return self.from_min if self.from_min >= 0 else peak_min() - BEFORE_PEAK_MIN

    def minute(self, at: datetime) -> float:
        """The minute of the storm at a time of the wall clock; before it began, where it begins."""
        return self.start_min + max((at - self.began) / timedelta(minutes=1), 0.0) * self.factor


@cache
def hyetograph() -> tuple[float, ...]:
    """Millimetres of each 5 minutes at the wettest gauge, from the beginning."""
    steps = [0.0] * STEPS
    inner: tuple[int, int] | None = None
    fallen = 0.0
    for hours, total in MAXIMA_MM.items():
        length = hours * 60 // STEP_MIN
        begin = round((STEPS - length) * PEAK_SHARE)
        block = (begin, begin + length)
        if inner is None:
            for place, shape in enumerate(_PEAK_SHAPE):
                steps[begin + place] = total / length * shape
        else:
            outside = [*range(block[0], inner[0]), *range(inner[1], block[1])]
            for place in outside:
                steps[place] = (total - fallen) / len(outside)
        inner, fallen = block, total
    return tuple(steps)


@cache
def peak_min() -> float:
    """When the wettest hour begins."""
    return round((STEPS - 60 // STEP_MIN) * PEAK_SHARE) * float(STEP_MIN)


@cache
def _fallen() -> tuple[float, ...]:
    return tuple(accumulate(hyetograph(), initial=0.0))


def fallen_mm(minute: float) -> float:
    """What has fallen at the wettest gauge up to a minute of the storm. Never less than before."""
    sums = _fallen()
    if minute <= 0:
        return 0.0
    if minute >= HOURS * 60:
        return sums[-1]
    step, part = divmod(minute, STEP_MIN)
    place = int(step)
    return sums[place] + (sums[place + 1] - sums[place]) * part / STEP_MIN


def wettest_mm(hours: int) -> float:
    """The most that fell in so many hours, whenever they began."""
    sums, length = _fallen(), hours * 60 // STEP_MIN
    return max(sums[end] - sums[end - length] for end in range(length, len(sums)))
