// What is one car park on this page? Its register entry, its minute and its price in one; who matches a search; how far.

import { named } from "./say.js";

const EARTH_M = 6_371_008.8;

/** All lots that the minute has, registered or not, in the feed's order. */
export function merged(state) {
  const information = new Map(state.register.information.lots.map((lot) => [lot.lot_id, lot]));
  const areas = new Map(state.register.information.subdistricts.map((area) => [area.code, area]));
  const prices = new Map(state.register.pricing.lots.map((lot) => [lot.lot_id, lot]));
  return [...state.statuses.values()].map((status) => {
    const about = information.get(status.lot_id) ?? null;
    const area = about ? areas.get(about.subdistrict_code) ?? null : null;
    return {
      id: status.lot_id,
      status,
      about,
      area,
      price: prices.get(status.lot_id) ?? null,
      forecast: state.forecasts.get(status.lot_id) ?? null,
      text: searched(status.lot_id, about, area),
    };
  });
}

export const nameOf = (lot) => (lot.about ? named(lot.about.name_zh, lot.about.name_en) : lot.id);

export const areaOf = (lot) => (lot.area ? named(lot.area.name_zh, lot.area.name_en) : "");

/** Every word of the search stands somewhere in the lot's texts, in either language. */
export function matches(lot, search) {
  return folded(search).split(" ").every((word) => lot.text.includes(word));
}

/** Does it have a space for somebody who comes now, as far as is known? */
export function hasSpaces(lot) {
  const { available, status, share } = lot.status;
  return available > 0 || share?.available > 0 || (available === null && (status === "open" || status === "almost_full"));
}

/** Metres as the crow flies; null when the lot has no place. */
export function metres(lot, from) {
  const place = lot.about?.wgs84;
  if (!place || !from) return null;
  const rad = Math.PI / 180;
  const x = (place.lon - from.lon) * rad * Math.cos(((place.lat + from.lat) / 2) * rad);
  const y = (place.lat - from.lat) * rad;
  return Math.hypot(x, y) * EARTH_M;
}

/** The middle of the lots: the district's centre for somebody who parks, and a subdistrict's too. */
export function centre(lots) {
  const places = lots.map((lot) => lot.about?.wgs84).filter(Boolean);
  if (places.length === 0) return null;
  const mean = (field) => places.reduce((sum, place) => sum + place[field], 0) / places.length;
  return { lat: mean("lat"), lon: mean("lon") };
}

/** Fresh enough to be shown in full: what is stale is greyed and hatched, what is older is unknown. */
export const isStale = (lot) => lot.status.freshness === "stale";

function searched(id, about, area) {
  const texts = [id, about?.name_zh, about?.name_en, about?.address_zh, about?.address_en];
  texts.push(area?.name_zh, area?.name_en, about?.operator_zh, about?.operator_en);
  return folded(texts.filter(Boolean).join(" "));
}

export const folded = (text) => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
