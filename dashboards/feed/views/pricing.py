"""What does an hour cost? pricing.json: structured lines with their dates, and when a person last checked them."""

from __future__ import annotations

from dashboards.feed.register_records import LotPricing, PriceLine, PricingData
from dashboards.feed.snapshot import Snapshot
from dashboards.feed.views.envelope import of_register
from schemas.registers import Lot, Price

NOT_REGISTERED = "no_price_registered"


def pricing(snapshot: Snapshot) -> bytes:
    return of_register(snapshot, PricingData(lots=tuple(_lot(lot, snapshot) for lot in snapshot.register.lots)))


def _lot(lot: Lot, snapshot: Snapshot) -> LotPricing:
    lines = snapshot.register.prices.get(lot.lot_id, ())
    return LotPricing(
        lot_id=lot.lot_id,
        pricing_verified_at=lot.pricing_verified_at,
        lines=tuple(_line(line, snapshot) for line in lines),
        reason=None if lines else NOT_REGISTERED,
    )


def _line(price: Price, snapshot: Snapshot) -> PriceLine:
    return PriceLine(
        pool=price.pool,
        weekdays=price.weekdays,
        on_holidays=price.on_holidays,
        start=price.start,
        end=price.end,
        step_min=price.step_min,
        step_price_fen=price.step_price_fen,
        free_min=price.free_min,
        cap_fen=price.cap_fen,
        cap_period=price.cap_period,
        text_zh=price.text_zh,
        text_en=price.text_en,
        valid_from=snapshot.local(price.valid_from),
        valid_to=snapshot.local_or_none(price.valid_to),
    )
