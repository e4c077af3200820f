// The page: what is asked for, what the feed says, and who shows it.

import { arrivalIn } from "./arrival.js";
import { showBanner } from "./banner.js";
import { showData } from "./data.js";
import { explainWith, lotExplainers } from "./explain.js";
import { follow, readSubdistricts } from "./feed.js";
import { clock, dayOf, learnOffset } from "./format.js";
import { healthExplainers, showHealth } from "./health.js";
import { listIn, ordered, showCount } from "./list.js";
import { centre, folded, merged } from "./lots.js";
import { choose, isChinese, language, learnToSay, named, say, sayAll } from "./say.js";
import { text } from "./row.js";

const byId = (id) => document.getElementById(id);
const WIDE = matchMedia("(min-width: 900px)");

await learnToSay();

const asked = { search: "", only: false, usable: null, from: null, fromKind: "district" };
let lots = [];
let map = null;
let mapComing = null;
let feed = null;
let shown = { found: [], shown: new Set(), far: new Map() };
let dataLanguage = null;

const list = listIn(byId("list"), contextOf);
const arrival = arrivalIn(() => feed.now(), (answer, isNewQuestion) => {
  asked.usable = answer;
  show({ isNewQuestion });
});
explainWith(
  { ...lotExplainers(shared), ...healthExplainers(() => ({ state: feed.state, now: feed.now() })) },
  (element) => list.lotOf(element),
);
sayEverything();
feed = follow(onChange);
showHealth(feed.state, feed.now());
setInterval(everySecond, 1000);

function shared() {
  const { state } = feed;
  return {
    now: feed.now(),
    sources: state.register?.sources ?? new Map(),
    fromName: fromName(),
    usable: asked.usable,
    lastUpdated: state.lastUpdated,
  };
}

function contextOf(lot) {
  const far = shown.far.get(lot.id);
  return {
    ...shared(),
    metres: far === undefined || far === Infinity ? null : far,
    windowsOf: (id) => feed.state.register?.windows?.get(id) ?? [],
    showOnMap,
  };
}

let minuteShown = null;

function onChange(state) {
  if (state.lastUpdatedText) learnOffset(state.lastUpdatedText);
  if (state.lastUpdated !== null && state.register !== null) {
    lots = merged(state);
    const isNew = minuteShown !== state.lastUpdated;
    show({ isNewQuestion: false });
    if (minuteShown === null) performance.mark("list");
    if (isNew) {
      list.renewDetail();
      if (minuteShown !== null) arrival.renew();
      minuteShown = state.lastUpdated;
    }
    if (WIDE.matches || !byId("map-panel").hidden) bringMap();
  }
  if (state.register?.links && dataLanguage !== language()) {
    showData(state.register);
    dataLanguage = language();
  }
  everySecond();
}

/** Ages and banners move with the clock; the rows that are out of sight are left alone. */
function everySecond() {
  if (feed === null) return;
  const now = feed.now();
  showBanner(feed.state, now);
  showHealth(feed.state, now);
  if (Math.floor(now / 1000) % 5 === 0 && lots.length > 0 && !document.hidden) show({ isNewQuestion: false });
}

function show({ isNewQuestion }) {
  if (lots.length === 0) return;
  shown = ordered(lots, { ...asked, from: origin() });
  list.show(shown.found, shown.shown, { isNewQuestion });
  showCount(byId("count"), shown.shown.size, lots.length);
  showFrom();
  const none = byId("none");
  none.hidden = shown.shown.size > 0;
  text(none, asked.search && !asked.only ? say("search.none", { text: byId("q").value.trim() }) : say("search.none.filter"));
  map?.show(lots, shown.shown, isNewQuestion);
}

/** Where distances are measured from: what was chosen, the subdistrict or lot that was searched, or the district. */
function origin() {
  if (asked.from !== null) return asked.from;
  const place = searchedPlace();
  return place ? place.at : centre(lots);
}

function searchedPlace() {
  if (asked.search === "") return null;
  const hit = (zh, en) => [zh, en, zh?.replace(/街道$/, "")].some((name) => name && folded(name) === asked.search);
  const areas = feed.state.register.information.subdistricts;
  const area = areas.find(({ name_zh: zh, name_en: en }) => hit(zh, en));
  if (area) return { name: named(area.name_zh, area.name_en), at: centre(lots.filter((lot) => lot.area === area || lot.area?.code === area.code)) };
  const lot = lots.find(({ about, id }) => about && (hit(about.name_zh, about.name_en) || folded(id) === asked.search));
  return lot ? { name: named(lot.about.name_zh, lot.about.name_en), at: lot.about.wgs84 } : null;
}

function fromName() {
  if (asked.from !== null) return say(`from.${asked.fromKind}`);
  return searchedPlace()?.name ?? say("from.district");
}

function showFrom() {
  const place = byId("from");
  const words = say("from", { place: fromName() });
  if (place.dataset.said === words) return;
  place.dataset.said = words;
  place.replaceChildren(words);
  if (asked.from === null) return;
  const reset = Object.assign(document.createElement("button"), { type: "button", className: "link-button" });
  reset.textContent = say("from.reset");
  reset.addEventListener("click", () => measureFrom(null, "district"));
  place.append(" · ", reset);
}

function measureFrom(place, kind) {
  asked.from = place;
  asked.fromKind = kind;
  map?.origin(place);
  show({ isNewQuestion: true });
}

// --- asking ---

byId("q").addEventListener("input", (event) => {
  asked.search = folded(event.target.value);
  show({ isNewQuestion: true });
});
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("q").blur(); // closes a phone's keyboard
});
byId("only").addEventListener("change", (event) => {
  asked.only = event.target.checked;
  show({ isNewQuestion: true });
});
byId("near").addEventListener("click", () => {
  const words = byId("near").querySelector("[data-say]");
  const restore = () => text(words, say("near"));
  text(words, say("near.asking"));
  const refused = () => {
    restore();
    byId("from").dataset.said = "";
    text(byId("from"), say("near.denied", { place: fromName() }));
  };
  if (!navigator.geolocation) return refused();
  navigator.geolocation.getCurrentPosition(({ coords }) => {
    restore();
    measureFrom({ lat: coords.latitude, lon: coords.longitude }, "here");
  }, refused, { timeout: 10_000, maximumAge: 60_000 });
  return undefined;
});
byId("language").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choose(isChinese() ? "en" : "zh");
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  history.replaceState(null, "", address);
  sayEverything();
  showHealth(feed.state, feed.now());
  byId("from").dataset.said = "";
  show({ isNewQuestion: true });
  list.renewDetail();
  if (feed.state.register) onChange(feed.state);
  map?.sayAgain();
});

function sayEverything() {
  sayAll();
  const { titleZh, titleEn } = document.documentElement.dataset;
  document.title = isChinese() ? titleZh : titleEn;
  text(byId("title"), document.title);
  const other = byId("language");
  other.lang = isChinese() ? "en" : "zh-CN";
  text(other, say("language.other"));
  other.setAttribute("aria-label", say("language.label"));
  arrival.sayStays();
}

addEventListener("beforeprint", () => {
  const at = feed.state.lastUpdated;
  if (at !== null) text(byId("printed"), say("print.at", { day: dayOf(at), at: clock(at, at), place: fromName() }));
});

// --- list and map: two tabs on a phone, side by side where there is room ---

const tabs = [byId("tab-list"), byId("tab-map")];
const panels = [byId("lots"), byId("map-panel")];

function choosePanel(index, isFocused = false) {
  tabs.forEach((tab, i) => {
    tab.setAttribute("aria-selected", String(i === index));
    tab.tabIndex = i === index ? 0 : -1;
    panels[i].hidden = !WIDE.matches && i !== index;
  });
  if (isFocused) tabs[index].focus();
  if (!panels[1].hidden && lots.length > 0) bringMap();
}

tabs.forEach((tab, index) => tab.addEventListener("click", () => choosePanel(index)));
byId("tabs").addEventListener("keydown", (event) => {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  choosePanel(1 - tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true"), true);
});
WIDE.addEventListener("change", () => choosePanel(0));
choosePanel(0);

function showOnMap(id) {
  choosePanel(1);
  bringMap().then(() => map?.choose(id));
}

/** maplibre-gl is large: it is read once there is a list to look at, or when somebody asks for the map. */
function bringMap() {
  mapComing ??= drawMap().catch((error) => {
    console.warn("the map cannot be drawn:", error.message);
    byId("map-panel").classList.add("has-no-map");
    text(byId("map-said"), say("map.none"));
  });
  return mapComing;
}

async function drawMap() {
  text(byId("map-said"), say("map.loading"));
  const { mapIn } = await import("./map.js");
  const ground = await readSubdistricts().catch(() => null);
  map = await mapIn(byId("map"), {
    ground,
    onChosen: (id) => {
      choosePanel(0);
      list.open(id);
    },
    onPoint: (place) => measureFrom(place, "point"),
    shared,
  });
  text(byId("map-said"), ground === null ? say("map.no_ground") : "");
  map.origin(asked.from);
  show({ isNewQuestion: false });
}

document.documentElement.dataset.ready = "true";
