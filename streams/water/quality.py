"""May this reading be believed, as far as can be said when it comes? The QARTOD tests, causal.

What a reading shows by itself (missing, the source's word, its clock, the physical range) is settled at once and for
whole columns. A value that jumps faster than its station ever did is held for one sample: if the next agrees with it
both are good, if the next is back where it was before the middle one was a spike. Which lines are flat although the
water moved is found by the sweep (stuck.py), for it takes more than one series. The raw value is never touched.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from streams.water.qartod import FAIL, GOOD, MISSING, SUSPECT, UNKNOWN, Flags, Floats, Ints
from streams.water.rules import CLOCK_AHEAD, Period

# Which tests spoke, as bits; their names are those of QARTOD where it has one.
GROSS_RANGE: Final = 1
RATE_OF_CHANGE: Final = 2
SPIKE: Final = 4
FLAT_LINE: Final = 8
DEVICE: Final = 16
CLOCK: Final = 32
SOURCE: Final = 64
NEIGHBOUR: Final = 128
# What a reading shows by itself; without it a sample is one that the danger sees, whatever came after it.
BY_ITSELF: Final = GROSS_RANGE | DEVICE | CLOCK | SOURCE
TESTS: Final = {
    GROSS_RANGE: "gross_range",
    RATE_OF_CHANGE: "rate_of_change",
    SPIKE: "spike",
    FLAT_LINE: "flat_line",
    DEVICE: "device",
    CLOCK: "clock",
    SOURCE: "source",
    NEIGHBOUR: "neighbour",
}
OF_SOURCE: Final = {"good": GOOD, "unknown": GOOD, "suspect": SUSPECT, "fail": FAIL, "missing": MISSING}
# Words in a reading's flags that say that the device doubts itself (bits of SL 651's 45H, the position of a LoRaWAN
# sensor): what the decoders write.
DEVICE_WORDS: Final = frozenset({"gauge_fault", "low_battery", "sensor_fault", "tilt"})
NOISES: Final = 5.0  # a step within so many times the noise is no rate


class Verdict(NamedTuple):
    """Of one place: the flag, and the tests that made it."""

    flag: int
    tests: int


class Line(msgspec.Struct, frozen=True):
    """What the rate test remembers: the last good sample, and one that is held."""

    good_at: int | None = None
    good_value: float = 0.0
    held_at: int | None = None
    held_value: float = 0.0


class Accepted(NamedTuple):
    """A good sample, on its way to the danger; is_falling: it did not rise beyond the noise."""

    at: int
    value: float
    is_falling: bool


class Settled(NamedTuple):
    """The line after a sample; which samples are good now, in their order; and what became of a held one."""

    line: Line
    verdict: Verdict
    accepted: tuple[Accepted, ...]
    held: Verdict | None


_GOOD: Final = Verdict(GOOD, 0)
_HELD: Final = Verdict(UNKNOWN, RATE_OF_CHANGE)


def tests_text(tests: int) -> str:
    return ",".join(word for bit, word in TESTS.items() if tests & bit)


def intrinsic(
    value: Floats, stated: Flags, device: npt.NDArray[np.bool_], at: Ints, received: Ints, low: Floats, high: Floats
) -> tuple[Flags, npt.NDArray[np.uint8]]:
    """What each place shows by itself: its flag and the tests that spoke. The worst flag wins."""
    flags = np.where(device & (stated == GOOD), SUSPECT, stated).astype(np.uint8)
    tests = np.where(stated != GOOD, SOURCE, 0).astype(np.uint8)
    tests[device] |= DEVICE
    ahead = at > received + CLOCK_AHEAD
    outside = (value < low) | (value > high)
    if ahead.any():
        tests[ahead] |= CLOCK
        flags[ahead] = np.maximum(flags[ahead], SUSPECT)
    if outside.any():
        tests[outside] |= GROSS_RANGE
        flags[outside] = FAIL
    missing = np.isnan(value)
    if missing.any():
        flags[missing] = MISSING
    return flags, tests


def tolerance(period: Period, span: int) -> float:
    """How far two good samples so far apart in time may differ."""
    return max(period.rate * span, NOISES * period.noise)


def settle(line: Line, period: Period, at: int, value: float) -> Settled:
    """One more sample that is good by itself, in the order of the samples' own times."""
    noise = period.noise
    if line.good_at is None:
        return Settled(Line(at, value), _GOOD, (Accepted(at, value, True),), None)
    from_good = abs(value - line.good_value)
    fits_good = from_good <= tolerance(period, at - line.good_at)
    is_falling = value <= line.good_value + noise
    if line.held_at is None:
        if fits_good:
            return Settled(Line(at, value), _GOOD, (Accepted(at, value, is_falling),), None)
        return Settled(Line(line.good_at, line.good_value, at, value), _HELD, (), None)
    from_held = abs(value - line.held_value)
    if fits_good and from_good < from_held:
        return Settled(
            Line(at, value), _GOOD, (Accepted(at, value, is_falling),), Verdict(FAIL, SPIKE | RATE_OF_CHANGE)
        )
    if from_held <= tolerance(period, at - line.held_at):
        both = (
            Accepted(line.held_at, line.held_value, line.held_value <= line.good_value + noise),
            Accepted(at, value, value <= line.held_value + noise),
        )
        return Settled(Line(at, value), _GOOD, both, _GOOD)
    return Settled(Line(line.good_at, line.good_value, at, value), _HELD, (), Verdict(FAIL, RATE_OF_CHANGE))
