// What is known of one car park beyond its row? Pools, windows, prices, hours, forecast, and where to read it all.

import { clock, count } from "./format.js";
import { named, say } from "./say.js";
import { lineText, make } from "./row.js";
import { reason } from "./explain.js";

/** The content of an opened row. `context` is {now, sources, windowsOf, showOnMap}. */
export function detailOf(lot, context) {
  const list = make("dl", "details");
  for (const [label, value] of facts(lot, context)) {
    const values = (Array.isArray(value) ? value : [value]).filter((one) => one !== null && one !== "" && one !== undefined);
    if (values.length === 0) continue;
    list.append(make("dt", "", label));
    for (const one of values) {
      const item = make("dd");
      item.append(one);
      list.append(item);
    }
  }
  const links = make("p", "links");
  if (lot.about?.wgs84) {
    const { lat, lon } = lot.about.wgs84;
    const onMap = make("button", "button small", say("detail.on_map"));
    onMap.type = "button";
    onMap.addEventListener("click", () => context.showOnMap(lot.id));
    links.append(onMap, link(`geo:${lat},${lon}`, say("detail.geo")));
  }
  links.append(link(`/parking/v1/lots/${encodeURIComponent(lot.id)}/history`, say("detail.history")));
  const whole = document.createDocumentFragment();
  whole.append(list, links);
  return whole;
}

function facts(lot, context) {
  const { status, about, price, forecast } = lot;
  const { now } = context;
  const trend = status.trend ? say(`trend.${status.trend}`) : "";
  const full = status.ttf_min === null ? "" : say("detail.full", { n: status.ttf_min });
  const source = status.source ? context.sources.get(status.source) : null;
  return [
    [say("detail.address"), about ? named(about.address_zh, about.address_en) : ""],
    [say("detail.pools"), status.pools.map((pool) => poolText(pool))],
    [say("trend"), [trend, full].filter(Boolean).join(say("join"))],
    [say("detail.forecast"), forecastTexts(forecast, now)],
    [say("share"), shareFacts(status.share, now)],
    [say("detail.windows"), context.windowsOf(lot.id).map((window) => windowText(window))],
    [say("price"), [
      ...(price?.lines ?? []).map((line) => `${line.start}–${line.end} ${lineText(line)}`),
      price?.pricing_verified_at ? say("price.verified", { day: price.pricing_verified_at }) : "",
    ]],
    [say("detail.hours"), about === null ? "" : about.opening_hours === null ? say("detail.hours.unknown")
      : about.opening_hours === "24/7" ? say("detail.hours.always") : about.opening_hours],
    [say("detail.kind"), about ? say(`kind.${about.kind}`) : ""],
    [say("detail.height"), about?.height_limit_m ? `${about.height_limit_m} m` : ""],
    [say("detail.entrances"), (about?.entrances ?? []).map((gate) => named(gate.name_zh, gate.name_en)
      + (gate.shared_users ? ` (${say("detail.shared_gate")})` : ""))],
    [say("detail.operator"), about ? named(about.operator_zh, about.operator_en) : ""],
    [say("why.source"), source ? `${source.attribution} (${source.licence})` : status.source],
    [say("why.last"), status.last_known?.at && status.last_known.available !== null
      ? say("why.last.value", { n: count(status.last_known.available), at: clock(status.last_known.at, now) }) : ""],
    ["ID", lot.id],
  ];
}

function poolText(pool) {
  const name = say(`pool.${pool.pool}`);
  const number = pool.available === null ? `– (${reason(pool.reason ?? "not_reported")})` : count(pool.available);
  const of = pool.capacity === null ? "" : ` · ${say("of", { n: count(pool.capacity) })}`;
  const stale = pool.freshness === "stale" ? ` · ${say("freshness.stale")}` : "";
  return `${name}: ${number}${of}${stale}`;
}

function forecastTexts(forecast, now) {
  if (!forecast || forecast.horizons.length === 0) return say("detail.forecast.none");
  return forecast.horizons.map((one) => say("detail.forecast.line", {
    at: clock(one.at, now), n: Math.round(one.p50), low: Math.round(one.p10), high: Math.round(one.p90),
  }));
}

function shareFacts(share, now) {
  if (share === null) return "";
  return [
    share.last_entry_at ? `${say("detail.entry")} ${clock(share.last_entry_at, now)}` : "",
    share.must_leave_by ? `${say("detail.leave")} ${clock(share.must_leave_by, now)}` : "",
    `${say("detail.eligibility")}: ${say(`eligibility.${share.eligibility}`)}`,
    named(share.overstay_rule_zh, share.overstay_rule_en),
  ];
}

function windowText(window) {
  const days = window.weekdays.length === 0 || window.weekdays.length === 7 ? say("day.every")
    : window.weekdays.map((day) => say(`day.${day}`)).join(say("join"));
  return `${days} ${window.start}–${window.end} · ${count(window.spaces)}`;
}

function link(href, content) {
  const element = make("a", "", content);
  element.href = href;
  return element;
}
