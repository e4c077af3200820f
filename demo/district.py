"""Which car parks does the simulated district have? 313 lots in ten subdistricts that share 14,113 spaces. Pure."""

from __future__ import annotations

from functools import cache
from typing import Literal

import msgspec

from demo.draws import between, draw, pick
from demo.ground import METRES_PER_DEGREE, scatter, subdistricts, water
from demo.names import name_of
from demo.operators import BY_SOURCE, OPERATORS

LOTS = 313
SHARED_SPACES = 14_113
BAYS_LOTS, BAYS = 6, 4  # lots of which so many shared bays come by message instead of in the register

Use = Literal["estate", "office", "mall", "hotel", "hospital", "school", "market", "park"]

_LOTS_OF = (44, 36, 38, 42, 38, 33, 20, 28, 22, 12)  # of the subdistricts in the order of their codes
_APART_M = 45.0
_USES: tuple[tuple[Use, float], ...] = (
    ("estate", 0.38),
    ("office", 0.58),
    ("mall", 0.74),
    ("hotel", 0.81),
    ("hospital", 0.86),
    ("school", 0.92),
    ("market", 0.96),
    ("park", 1.0),
)
_SIZES: dict[Use, tuple[int, int]] = {
    "estate": (80, 520),
    "office": (100, 450),
    "mall": (150, 900),
    "hotel": (50, 220),
    "hospital": (90, 400),
    "school": (40, 160),
    "market": (60, 260),
    "park": (60, 240),
}
_KINDS: dict[Use, tuple[str, ...]] = {
    "estate": ("underground", "underground", "underground", "surface", "surface"),
    "office": ("underground", "underground", "underground", "garage"),
    "mall": ("underground", "underground", "garage"),
    "hotel": ("underground", "surface", "mechanical"),
    "hospital": ("garage", "underground", "mechanical"),
    "school": ("surface", "underground"),
    "market": ("surface",),
    "park": ("surface", "surface", "on_street"),
}
_EVERY_DAY: tuple[int, ...] = ()
_WORKDAYS = (1, 2, 3, 4, 5)
_HOURS: dict[Use, tuple[tuple[tuple[int, ...], str, str], ...]] = {  # when the owners need fewer: estates by day
    "estate": ((_WORKDAYS, "08:30", "18:00"), (_WORKDAYS, "08:00", "17:30"), (_WORKDAYS, "09:00", "17:00")),
    "office": ((_EVERY_DAY, "19:00", "08:00"), (_EVERY_DAY, "20:00", "07:30"), ((6, 7), "00:00", "24:00")),
    "mall": ((_EVERY_DAY, "22:30", "09:00"), (_EVERY_DAY, "23:00", "09:30")),
    "hotel": ((_EVERY_DAY, "10:00", "17:00"),),
    "hospital": ((_EVERY_DAY, "18:30", "07:00"),),
    "school": ((_WORKDAYS, "18:30", "07:00"), ((6, 7), "00:00", "24:00")),
    "market": ((_EVERY_DAY, "20:30", "04:30"),),
    "park": ((_EVERY_DAY, "21:00", "07:00"),),
}
_SHARES: dict[Use, tuple[float, float]] = {  # of its spaces, before they are scaled to the district's sum
    "estate": (0.12, 0.32),
    "office": (0.25, 0.55),
    "mall": (0.15, 0.35),
    "hotel": (0.15, 0.30),
    "hospital": (0.10, 0.25),
    "school": (0.35, 0.70),
    "market": (0.20, 0.45),
    "park": (0.20, 0.45),
}


class Window(msgspec.Struct, frozen=True, kw_only=True):
    spaces: int
    weekdays: tuple[int, ...]  # empty: every day
    start: str
    end: str
    min_stay_min: int = 30
    grace_min: int = 10
    buffer_min: int = 10
    reserve: int = 0
    eligibility: str = "anyone"


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    name_zh: str
    name_en: str
    address_zh: str
    address_en: str
    subdistrict: str
    use: Use
    kind: str
    lon: float
    lat: float
    capacity: int  # of the public pool
    pools: dict[str, int]  # capacity of the others that its operator reports
    source: str
    ref: str
    window: Window  # as registered, without the bays
    bays: tuple[str, ...] = ()  # that share one space each in the same hours, told by message

    @property
    def lot_id(self) -> str:
        return f"lh-{self.number:04d}"

    @property
    def shared(self) -> int:
        return self.window.spaces + len(self.bays)

    @property
    def gate(self) -> tuple[float, float]:
        """(lon, lat) of its entrance."""
        north_m, east_m = between(-25, 25, "gate n", self.number), between(-25, 25, "gate e", self.number)
        return round(self.lon + east_m / METRES_PER_DEGREE, 6), round(self.lat + north_m / METRES_PER_DEGREE, 6)


@cache
def lots() -> tuple[Lot, ...]:
    """All lots by number. The same at every call, in every process."""
    areas, lake = subdistricts(), water()
    places = [
        (area.code, *point)
        for area, count in zip(areas, _LOTS_OF, strict=True)
        for point in scatter(area, count, lake, _APART_M)
    ]
    uses = {number: _use(number) for number in range(1, LOTS + 1)}
    sizes = {number: _size(use, number) for number, use in uses.items()}
    shares = _shares(uses, sizes)
    told_by = _told_by()
    with_bays = sorted((n for n in uses if uses[n] == "estate"), key=lambda n: (-shares[n], n))[:BAYS_LOTS]
    taken: set[str] = set()
    found = []
    for number, (code, lon, lat) in enumerate(places, 1):
        use = uses[number]
        kind = pick(_KINDS[use], "kind", number)
        name_zh, name_en, address_zh, address_en = name_of(number, use, kind, code, taken)
        source, ref = told_by[number]
        bays = tuple(f"B{bay:03d}" for bay in range(1, BAYS + 1)) if number in with_bays else ()
        found.append(
            Lot(
                number=number,
                name_zh=name_zh,
                name_en=name_en,
                address_zh=address_zh,
                address_en=address_en,
                subdistrict=code,
                use=use,
                kind=kind,
                lon=lon,
                lat=lat,
                capacity=sizes[number],
                pools=_pools(source, sizes[number], number),
                source=source,
                ref=ref,
                window=_window(use, shares[number] - len(bays), number),
                bays=bays,
            )
        )
    return tuple(found)


@cache
def lots_of(source: str) -> tuple[Lot, ...]:
    return tuple(lot for lot in lots() if lot.source == source)


def _use(number: int) -> Use:
    chance = draw("use", number)
    return next(use for use, below in _USES if chance < below)


def _size(use: Use, number: int) -> int:
    low, high = _SIZES[use]
    return low + int((high - low) * draw("size", number) ** 1.6)


def _shares(uses: dict[int, Use], sizes: dict[int, int]) -> dict[int, int]:
    """Shared spaces of each lot, at least 8, that add up to the district's sum: largest remainders."""
    wanted = {n: sizes[n] * between(*_SHARES[use], "share", n) for n, use in uses.items()}
    scale = (SHARED_SPACES - 8 * LOTS) / sum(wanted.values())
    exact = {n: 8 + share * scale for n, share in wanted.items()}
    shares = {n: int(share) for n, share in exact.items()}
    missing = SHARED_SPACES - sum(shares.values())
    for number in sorted(exact, key=lambda n: (shares[n] - exact[n], n))[:missing]:
        shares[number] += 1
    return shares


def _told_by() -> dict[int, tuple[str, str]]:
    """(source, ref) of each lot: operators are mixed over the district."""
    mixed = sorted(range(1, LOTS + 1), key=lambda number: draw("operator", number))
    found: dict[int, tuple[str, str]] = {}
    for operator in OPERATORS:
        mine, mixed = sorted(mixed[: operator.lots]), mixed[operator.lots :]
        found |= {number: (operator.source, operator.ref(number, index)) for index, number in enumerate(mine)}
    return found


def _pools(source: str, size: int, number: int) -> dict[str, int]:
    return {
        pool: max(2, int(size * between(0.01, 0.06, pool, number)))
        for pool in BY_SOURCE[source].pools
        if draw("has", pool, number) < 0.6
    }


def _window(use: Use, spaces: int, number: int) -> Window:
    weekdays, start, end = pick(_HOURS[use], "hours", number)
    return Window(
        spaces=spaces,
        weekdays=weekdays,
        start=start,
        end=end,
        min_stay_min=pick((0, 15, 30, 60), "stay", number),
        grace_min=pick((0, 10, 15), "grace", number),
        buffer_min=pick((0, 10, 15), "buffer", number),
        reserve=int(spaces * 0.1) if use == "estate" else 0,
        eligibility=pick(("anyone", "anyone", "registered_plate", "app"), "eligibility", number),
    )
