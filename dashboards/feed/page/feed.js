// What does the feed say now, and is it there? The register's files, the minute, and whatever follows it.
//
// The stream first; while it is cut the page asks every now and then; while even that fails everything is grey.

import { listen } from "./stream.js";

const ROOT = "/parking/v1";
const POLL_MS = 20_000;
const RETRY_MS = [1_000, 2_000, 3_000, 5_000];
const REGISTER_EVERY_MS = 300_000;
const SPREAD_MS = 2_000; // clients of one stream do not all ask in the same instant
const LATE_S = 150; // a minute is out five seconds after its tick: two that are missing are a standstill

/** Starts to follow the feed. onChange(state) after each change of what is known; the state is one object, kept. */
export function follow(onChange) {
  const state = {
    statuses: new Map(), // lot_id -> record of lot_status.json
    lastUpdated: null, // ms
    seq: null,
    register: null, // {information, pricing}, soon {system, links, sources, windows} too
    forecasts: new Map(),
    quality: null,
    link: "starting", // starting, live, polling, cut
    contactAt: Date.now(), // when the feed last gave a sign of life
    skewMs: 0, // the server's clock minus this device's
  };
  const now = () => Date.now() + state.skewMs;

  function sign(date) {
    state.contactAt = Date.now();
    if (date) state.skewMs = Date.parse(date) + 500 - Date.now(); // Date has whole seconds
  }

  function setLink(link) {
    if (state.link === link) return;
    state.link = link;
    onChange(state);
  }

  async function read(path, init = {}) {
    const answer = await fetch(ROOT + path, init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    sign(answer.headers.get("Date"));
    return answer.json();
  }

  /** A whole minute, or the lots that changed since one; an older minute than the one that is shown is left out. */
  function take(document) {
    const at = Date.parse(document.last_updated);
    const isWhole = document.data.since_seq === undefined || document.data.is_full;
    if (state.lastUpdated !== null && (at < state.lastUpdated || (at === state.lastUpdated && !isWhole))) return;
    const isNewer = at !== state.lastUpdated;
    if (isWhole) state.statuses = new Map();
    for (const lot of document.data.lots) state.statuses.set(lot.lot_id, lot);
    state.seq = document.content_seq;
    state.lastUpdated = at;
    state.lastUpdatedText = document.last_updated;
    onChange(state);
    if (isNewer) readQuality();
    if (!isWhole) setTimeout(() => ask().catch(() => {}), 300 + Math.random() * SPREAD_MS);
  }

  async function readQuality() {
    try {
      state.quality = (await read("/quality.json", { cache: "no-cache" })).data;
      onChange(state);
    } catch {
      // the line of health keeps its minute; the stream says whether the feed is there
    }
  }

  /** First what the list needs, then what stands around it. */
  async function readRegister() {
    const some = (names) => Promise.all(names.map((name) => read(`/${name}.json`).then((document) => document.data)));
    const [information, pricing] = await some(["lot_information", "pricing"]);
    state.register = { ...state.register, information, pricing };
    onChange(state);
    const [system, links, windows, forecast] = await some(
      ["system_information", "parking", "share_windows", "forecast"]);
    state.register = {
      information, pricing, system, links,
      sources: new Map(system.attribution.map((terms) => [terms.source, terms])),
      windows: new Map(windows.lots.map((lot) => [lot.lot_id, lot.windows])),
    };
    state.forecasts = new Map(forecast.lots.map((lot) => [lot.lot_id, lot]));
    onChange(state);
  }

  /** A delta leaves out lots of which only the time moved; their ages come with the whole minute. */
  async function ask() {
    take(await read("/lot_status.json", state.seq === null ? {} : { cache: "no-cache" }));
  }

  async function forever() {
    for (let failures = 0; ; ) {
      try {
        if (state.seq === null) await ask();
        if (state.register === null) await readRegister();
        await listen(`${ROOT}/stream`, `${state.seq}/${state.lastUpdatedText}`, {
          signal: new AbortController().signal,
          onSign(date) {
            sign(date);
            failures = 0;
            setLink("live");
          },
          onEvent(event) {
            take(JSON.parse(event.data));
          },
        });
      } catch {
        failures += 1;
      }
      try {
        await ask();
        if (state.register === null) await readRegister();
        setLink("polling");
        await pause(failures < 3 ? 1_000 : POLL_MS);
      } catch {
        setLink("cut");
        await pause(RETRY_MS[Math.min(failures - 1, RETRY_MS.length - 1)]);
      }
    }
  }

  setInterval(() => readRegister().catch(() => {}), REGISTER_EVERY_MS);
  forever();
  return { state, now };
}

/** Which of the feed's absences is it? null: it is here. */
export function absence(state, nowMs) {
  const silentS = Math.max(0, Math.floor((Date.now() - state.contactAt) / 1000));
  if (state.lastUpdated === null) return state.link === "cut" ? { kind: "gone", seconds: silentS } : null;
  if (state.link === "cut") return { kind: "cut", seconds: silentS };
  const behindS = Math.floor((nowMs - state.lastUpdated) / 1000);
  return behindS > LATE_S ? { kind: "still", seconds: behindS - 60 } : null;
}

/** Whether each lot can be used by one who arrives then: the feed's own answer. */
export async function askUsable(eta, stayMin) {
  const query = new URLSearchParams({ eta, stay: `PT${stayMin}M` });
  const answer = await fetch(`${ROOT}/lots/usable?${query}`, { cache: "no-cache" });
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.detail ?? String(answer.status));
  return new Map(document.data.lots.map((lot) => [lot.lot_id, lot]));
}

export async function readSubdistricts() {
  const answer = await fetch(`${ROOT}/subdistricts.geojson`);
  if (!answer.ok) throw new Error(`subdistricts.geojson: ${answer.status}`);
  return answer.json();
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
