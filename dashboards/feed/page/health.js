// How is the feed itself? One line: its minute, the share of fresh lots, the sources that are silent, the sum.

import { clock, clockSeconds, count } from "./format.js";
import { say } from "./say.js";
import { make, text } from "./row.js";

const KINDS = ["minute", "link", "fresh", "sources", "district", "unknown"];
const WHY = { minute: "minute", link: "minute", fresh: "fresh", sources: "sources", district: "area", unknown: "area" };
let items = null;

export function showHealth(state, nowMs) {
  const line = document.getElementById("health");
  if (items === null) {
    items = Object.fromEntries(KINDS.map((kind) => {
      const item = make("button", `explains of-${kind}`);
      item.type = "button";
      item.dataset.why = `health.${WHY[kind]}`;
      return [kind, item];
    }));
    line.replaceChildren(...Object.values(items));
  }
  const words = wordsOf(state, nowMs);
  for (const kind of KINDS) {
    text(items[kind], words[kind] ?? "");
    items[kind].hidden = !words[kind];
  }
  items.sources.classList.toggle("is-bad", silent(state).length > 0);
  items.link.dataset.link = state.link;
}

function wordsOf(state, nowMs) {
  if (state.lastUpdated === null) return { minute: say("health.starting") };
  const words = { minute: say("health.minute", { at: clock(state.lastUpdated, nowMs) }) };
  if (state.link === "live" || state.link === "polling") words.link = say(`health.${state.link}`);
  const quality = state.quality;
  if (quality === null) return words;
  const fresh = quality.lots_by_freshness.fresh ?? 0;
  const total = quality.lots_total;
  words.fresh = say("health.fresh", { share: total === 0 ? "–" : `${Math.floor((100 * fresh) / total)} %`, fresh, total });
  const names = silent(state);
  words.sources = names.length === 0 ? say("health.sources.none")
    : say("health.sources", { n: names.length, names: names.join(say("join")) });
  const district = districtOf(state);
  if (district) {
    words.district = say("health.district", { n: count(district.available_now) });
    words.unknown = say("health.unknown", { n: count(district.available_unknown_spaces) });
  }
  return words;
}

const silent = (state) => (state.quality?.sources ?? []).filter(({ state: is }) => is === "silent").map(({ source }) => source);

/** The area that contains the others: it has the most lots. */
function districtOf(state) {
  const areas = state.quality?.areas ?? [];
  return areas.reduce((most, area) => (most === null || area.lots_total > most.lots_total ? area : most), null);
}

/** What explains the line. */
export function healthExplainers(contextOf) {
  const seconds = (n) => (n === null || n === undefined ? "" : `${Math.round(n)} s`);
  return {
    "health.minute"() {
      const { state, now } = contextOf();
      return [
        [say("why.published"), state.quality ? clockSeconds(state.quality.computed_at, now) : ""],
        [say("why.received"), clockSeconds(state.contactAt + state.skewMs, now)],
        [say("why.rule"), say("why.rule.minute")],
        ["", state.quality?.is_late ? say("health.late") : ""],
      ];
    },
    "health.fresh"() {
      const { state, now } = contextOf();
      const { quality } = state;
      const tiers = Object.entries(quality.lots_by_freshness).map(([tier, n]) => `${say(`freshness.${tier}`)} ${n}`);
      return [
        [say("freshness"), tiers.join(say("join"))],
        ["p50 / p95", [seconds(quality.observed_to_minute_p50_s), seconds(quality.observed_to_minute_p95_s)].join(" / ")],
        [say("why.published"), clockSeconds(quality.minute, now)],
        [say("why.rule"), say("why.rule.fresh", { slo: `${Math.round(100 * quality.slo.lots_fresh_share)} %` })],
      ];
    },
    "health.sources"() {
      const { state, now } = contextOf();
      return [
        ...state.quality.sources.map((source) => [
          source.source,
          `${source.lots_fresh}/${source.lots}${source.last_success_at ? ` · ${clockSeconds(source.last_success_at, now)}` : ""}`,
        ]),
        [say("why.rule"), say("why.rule.sources")],
      ];
    },
    "health.area"() {
      const { state, now } = contextOf();
      const district = districtOf(state);
      return [
        [say("health"), `${district.lots_live}/${district.lots_total}`],
        [say("why.published"), clockSeconds(state.quality.minute, now)],
        [say("why.rule"), say("why.rule.area")],
      ];
    },
  };
}
