// How are times, ages, distances and sums of money written? In the district's own time, whatever the device's is.

import { say } from "./say.js";

export const ZONE = "Asia/Shanghai";
const UNITS = [["d", 86400], ["h", 3600], ["min", 60]];
const clockFormat = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });
const secondFormat = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const dayFormat = new Intl.DateTimeFormat("sv-SE", { timeZone: ZONE });

let zone = "+08:00";

/** The offset as the feed writes it: "2026-11-24T10:31:00+08:00". */
export function learnOffset(instant) {
  zone = /[+-]\d\d:\d\d$/.exec(instant ?? "")?.[0] ?? zone;
}

export const offset = () => zone;

export const dayOf = (at) => dayFormat.format(new Date(at));

/** 18:30, and the date before it on another day than today's. */
export function clock(at, now = Date.now()) {
  const time = clockFormat.format(new Date(at));
  const day = dayOf(at);
  return day === dayOf(now) ? time : `${day.slice(5)} ${time}`;
}

export function clockSeconds(at, now = Date.now()) {
  const day = dayOf(at);
  const time = secondFormat.format(new Date(at));
  return day === dayOf(now) ? time : `${day} ${time}`;
}

/** The value of a datetime-local input in the district's time. */
export const localValue = (at) => `${dayOf(at)}T${clockFormat.format(new Date(at))}`;

/** How long ago, rounded down; seconds in steps of five, so that figures do not flicker. */
export function age(seconds) {
  for (const [unit, length] of UNITS)
    if (seconds >= length) return say(`age.${unit}`, { n: Math.floor(seconds / length) });
  return say("age.s", { n: Math.max(0, Math.floor(seconds / 5) * 5) });
}

/** 350 m, 1.2 km, 14 km. */
export function distance(metres) {
  if (metres === null) return "";
  if (metres < 995) return `${Math.round(metres / 10) * 10} ${say("m")}`;
  return `${(metres / 1000).toFixed(metres < 9950 ? 1 : 0)} ${say("km")}`;
}

export const count = (n) => n.toLocaleString("en-US");

export const yuan = (fen) => String(fen / 100);

export function minutes(n) {
  return n % 60 === 0 && n > 0 ? say("stay.h", { n: n / 60 }) : say("stay.min", { n });
}
