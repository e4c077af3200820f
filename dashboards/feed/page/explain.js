// Where does a number come from? Source, time and rule of each number of the page, shown on hover, focus or tap.

import { age, clockSeconds, clock, count } from "./format.js";
import { knows, named, say } from "./say.js";

let box = null;
let shownFor = null;
let explainers = {};

/** `say` of each kind: (subject) -> [[label, text], ...]. The subject is what `subjectOf` finds for the element. */
export function explainWith(known, subjectOf) {
  explainers = known;
  box = document.getElementById("why");
  const find = (target) => (target instanceof Element ? target.closest("[data-why]") : null);
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "mouse") show(find(event.target), subjectOf);
  });
  document.addEventListener("focusin", (event) => {
    const element = find(event.target);
    if (element === null) hide();
    else if (element.matches(":focus-visible")) show(element, subjectOf);
  });
  document.addEventListener("click", (event) => show(find(event.target), subjectOf));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  addEventListener("scroll", hide, { passive: true, capture: true });
  addEventListener("resize", hide, { passive: true });
}

function show(element, subjectOf) {
  if (element === null) return hide();
  if (element === shownFor) return undefined;
  const lines = explainers[element.dataset.why](subjectOf(element));
  if (lines === null) return hide();
  hide();
  box.replaceChildren(...lines.filter(([, text]) => text).map(([label, text]) => lineOf(label, text)));
  box.hidden = false;
  const at = element.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8));
  const below = at.bottom + 6;
  const top = below + height > innerHeight && at.top - height - 6 > 0 ? at.top - height - 6 : below;
  box.style.left = `${Math.round(left)}px`;
  box.style.top = `${Math.round(top)}px`;
  element.setAttribute("aria-describedby", "why");
  shownFor = element;
  return undefined;
}

export function hide() {
  if (box === null || box.hidden) return;
  box.hidden = true;
  shownFor?.removeAttribute("aria-describedby");
  shownFor = null;
}

function lineOf(label, text) {
  const line = document.createElement("p");
  const name = document.createElement("b");
  name.textContent = label;
  line.append(name, ` ${text}`);
  return line;
}

export const reason = (code) => (code ? say(`reason.${code}`) : "");

/** What explains the numbers of a lot. `context` gives {now, sources, fromName, usable, origin}. */
export function lotExplainers(context) {
  const sourceLine = (lot) => {
    const name = lot.status.source;
    const terms = name ? context().sources.get(name) : null;
    return [say("why.source"), terms ? `${terms.attribution} (${name})` : name];
  };
  const times = (lot) => {
    const { observed_at: seen, received_at: got, published_at: out } = lot.status;
    const now = context().now;
    return [
      [say("why.observed"), seen && `${clockSeconds(seen, now)} (${say("ago", { age: age((now - Date.parse(seen)) / 1000) })})`],
      [say("why.received"), got && clockSeconds(got, now)],
      [say("why.published"), clockSeconds(out, now)],
    ];
  };
  const range = ({ available_min: low, available_max: high, available }) =>
    low === null || high === null || (low === available && high === available) ? "" : `${low}–${high}`;
  const marks = (codes) => codes.map((code) => (knows(`reason.${code}`) ? say(`reason.${code}`) : say(code))).join(say("join"));
  return {
    available(lot) {
      const { status: state, available, capacity, last_known: last, quality, freshness } = lot.status;
      const rule = available === null ? say("why.rule.unknown")
        : state === "closed" ? say("why.rule.closed")
        : capacity === null ? say("why.rule.count.nocap") : say("why.rule.count", { capacity: count(capacity) });
      return [
        [say("why.reason"), reason(lot.status.reason)],
        sourceLine(lot),
        ...times(lot),
        [say("freshness"), say(`freshness.${freshness}`)],
        [say("why.range"), range(lot.status)],
        [say("why.last"), last?.at && last.available !== null
          ? say("why.last.value", { n: count(last.available), at: clock(last.at, context().now) }) : ""],
        [say("why.rule"), rule],
        [say("why.flags"), marks(quality.flags)],
      ];
    },
    status(lot) {
      const { almost_full: almost, full } = lot.status.thresholds;
      const counted = lot.status.available !== null && lot.status.status !== "closed" && almost && full;
      return [
        [say("status"), say(`status.${lot.status.status}`)],
        [say("why.since"), clock(lot.status.status_since, context().now)],
        [say("why.reason"), reason(lot.status.reason)],
        [say("why.rule"), counted
          ? say("why.rule.status", { almost: almost[0], full: full[0], almost_leave: almost[1], full_leave: full[1] })
          : say("why.rule.status.plain")],
        sourceLine(lot),
      ];
    },
    age: (lot) => [...times(lot), [say("freshness"), say(`freshness.${lot.status.freshness}`)], sourceLine(lot),
      [say("why.rule"), say("why.rule.age")]],
    distance: () => [
      [say("distance"), say("from", { place: context().fromName })],
      [say("why.rule"), say("why.rule.distance")],
    ],
    share(lot) {
      const share = lot.status.share;
      if (share === null) return null;
      return [
        [say("why.reason"), reason(share.reason)],
        [say("why.range"), range(share)],
        [say("detail.entry"), share.last_entry_at && clock(share.last_entry_at, context().now)],
        [say("detail.leave"), share.must_leave_by && clock(share.must_leave_by, context().now)],
        [say("detail.eligibility"), say(`eligibility.${share.eligibility}`)],
        [say("detail.overstay"), named(share.overstay_rule_zh, share.overstay_rule_en)],
        sourceLine(lot),
        ...times(lot),
        [say("why.rule"), say("why.rule.share")],
      ];
    },
    price: (lot) => [
      [say("price"), lot.price?.pricing_verified_at ? say("price.verified", { day: lot.price.pricing_verified_at }) : ""],
      [say("why.rule"), say("why.rule.price")],
    ],
    usable(lot) {
      const found = context().usable?.answers.get(lot.id);
      if (!found) return null;
      return [
        [say("why.reason"), found.reason ? say(`usable.${found.reason}`) : ""],
        [say("why.published"), clock(context().lastUpdated, context().now)],
        [say("why.rule"), say("why.rule.usable")],
      ];
    },
  };
}
