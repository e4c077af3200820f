// How is a car park shown in one row? The row is made once and its texts are replaced where they change.

import { age, clock, count, distance, minutes, yuan, ZONE } from "./format.js";
import { areaOf, isStale, nameOf } from "./lots.js";
import { named, say } from "./say.js";
import { sign } from "./shapes.js";
import { reason } from "./explain.js";

/** {element, update(lot, context)}: the context is {now, metres, usable}. */
export function rowOf(lot) {
  const element = make("li", "lot");
  element.id = `lot-${lot.id}`;
  element.dataset.lot = lot.id;
  const name = make("button", "name");
  name.type = "button";
  name.setAttribute("aria-expanded", "false");
  name.setAttribute("aria-controls", `about-${lot.id}`);
  const heading = make("h3", "heading");
  heading.append(name);
  const parts = {
    state: explained("button", "state", "status"),
    age: explained("button", "age", "age"),
    distance: explained("button", "distance", "distance"),
    area: make("span", "area"),
    share: explained("button", "share", "share"),
    price: explained("button", "price", "price"),
    usable: explained("button", "usable", "usable"),
    number: explained("button", "number", "available"),
  };
  const figure = make("b", "figure");
  const under = make("span", "under");
  parts.number.append(figure, under);
  const word = make("span", "word");
  let shownStatus = null;
  const facts = make("p", "facts");
  facts.append(parts.state, parts.age, parts.distance, parts.area);
  const more = make("p", "more");
  more.append(parts.usable, parts.share, parts.price);
  const body = make("div", "body-of-lot");
  body.append(heading, facts);
  const about = make("div", "about");
  about.id = `about-${lot.id}`;
  about.hidden = true;
  element.append(body, parts.number, more, about);

  function update(now, context) {
    const { status } = now;
    text(name, nameOf(now));
    if (shownStatus !== status.status) {
      parts.state.replaceChildren(sign(status.status), word);
      shownStatus = status.status;
      element.dataset.status = status.status;
    }
    text(word, say(`status.${status.status}`));
    element.classList.toggle("is-stale", isStale(now));
    element.classList.toggle("is-unknown", status.available === null);
    text(figure, status.available === null ? "–" : count(status.available));
    text(under, underNumber(now));
    parts.number.setAttribute("aria-label", spoken(now));
    text(parts.age, ageText(now, context.now));
    text(parts.distance, distance(context.metres));
    parts.distance.hidden = context.metres === null;
    text(parts.area, areaOf(now));
    const share = shareText(now, context.now);
    text(parts.share, share);
    parts.share.hidden = share === "";
    text(parts.price, priceText(now, context.now));
    showUsable(parts.usable, context.usable?.answers.get(now.id), context);
  }

  return { element, name, about, update };
}

/** Since it was seen; a source that does not say when: since it was received, and that it is that. */
export function ageText(lot, now) {
  const { observed_at: seen, received_at: got, freshness } = lot.status;
  if (freshness === "never") return say("freshness.never");
  if (seen === null && got === null) return say("age.none");
  const since = say(seen === null ? "received" : "ago", { age: age((now - Date.parse(seen ?? got)) / 1000) });
  return freshness === "stale" ? `${since} · ${say("freshness.stale")}` : since;
}

/** "available of 186", or why there is no number. */
export function underNumber(lot) {
  const { available, capacity, reason: why } = lot.status;
  if (available === null) return reason(why ?? "not_reported");
  return capacity === null ? say("available.short") : say("available.of", { n: count(capacity) });
}

function spoken(lot) {
  const { available, reason: why } = lot.status;
  const said = available === null ? `${say("status.unknown")}, ${reason(why)}` : `${count(available)} ${underNumber(lot)}`;
  return `${nameOf(lot)}, ${say("available")}: ${said}`;
}

export function shareText(lot, now) {
  const share = lot.status.share;
  if (share === null) return "";
  const leave = share.must_leave_by && clock(share.must_leave_by, now);
  if (share.spaces_now === 0) {
    if (share.next === null) return say("share.none");
    return say("share.next", { at: clock(share.next.start, now), n: count(share.next.spaces) });
  }
  if (share.state === "last_entry_passed") return leave ? say("share.passed", { leave }) : say("share.passed.none");
  const until = share.last_entry_at && clock(share.last_entry_at, now);
  const when = until && leave ? say("share.open.leave", { until, leave })
    : until ? say("share.open", { until }) : leave ? say("share.leave", { leave }) : say("share.all");
  if (lot.status.status === "closed") return when;
  const free = share.available === null ? say("share.unknown") : say("share.free", { n: count(share.available) });
  return `${when} · ${free}`;
}

/** The line in force at this hour; of two that differ on holidays both, since the page does not know the calendar. */
export function priceText(lot, now) {
  const lines = (lot.price?.lines ?? []).filter((line) => line.pool === "public" || line.pool === "shared");
  if (lines.length === 0) return say("price.none");
  const inForce = lines.filter((line) => isInForce(line, now));
  const shown = inForce.length > 0 ? inForce.slice(0, 2) : lines.slice(0, 1);
  return shown.map((line) => lineText(line)).join(say("list.sep"));
}

export function lineText(line) {
  const day = line.on_holidays === null ? "" : `${say(line.on_holidays ? "price.holiday" : "price.workday")}: `;
  const given = named(line.text_zh, line.text_en);
  if (given) return day + given;
  const parts = [say("price.step", { price: yuan(line.step_price_fen), step: minutes(line.step_min) })];
  if (line.free_min > 0) parts.unshift(say("price.free", { n: line.free_min }));
  if (line.cap_fen !== null) parts.push(say(`price.cap.${line.cap_period ?? "day"}`, { price: yuan(line.cap_fen) }));
  return day + parts.join(say("join"));
}

const partsFormat = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE, weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

function isInForce(line, now) {
  const parts = Object.fromEntries(partsFormat.formatToParts(new Date(now)).map(({ type, value }) => [type, value]));
  const time = `${parts.hour}:${parts.minute}`;
  const wraps = line.end <= line.start;
  const isIn = wraps ? time >= line.start || time < line.end : time >= line.start && time < line.end;
  if (!isIn || line.weekdays.length === 0) return isIn;
  const day = DAYS.indexOf(parts.weekday) + 1;
  const began = wraps && time < line.end ? ((day + 5) % 7) + 1 : day; // after midnight it is still yesterday's line
  return line.weekdays.includes(began);
}

function showUsable(element, found, context) {
  element.hidden = !found;
  if (!found) return;
  const at = clock(context.usable.eta, context.now);
  const verdict = found.usable === null ? "unknown" : found.usable ? "yes" : "no";
  element.dataset.verdict = verdict;
  const parts = [say(`arrival.${verdict}`, { at })];
  if (found.usable && found.spaces !== null) parts.push(say("arrival.spaces", { n: count(found.spaces) }));
  if (found.usable !== true && found.reason) parts.push(say(`usable.${found.reason}`));
  if (found.must_leave_by && found.usable !== false)
    parts.push(say("arrival.leave", { leave: clock(found.must_leave_by, context.now) }));
  text(element, parts.join(" · "));
}

function explained(tag, className, why) {
  const element = make(tag, `${className} explains`);
  element.type = "button";
  element.dataset.why = why;
  return element;
}

export function make(tag, className, content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (content !== undefined) element.textContent = content;
  return element;
}

export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}
