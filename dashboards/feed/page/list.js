// In which order stand the rows, and which are shown? By distance, or by what can be used at arrival.
//
// A row that the pointer or the focus is on keeps its place: the new order waits until they have left.

import { hasSpaces, matches, metres } from "./lots.js";
import { detailOf } from "./detail.js";
import { hide as hideExplanation } from "./explain.js";
import { rowOf, text } from "./row.js";
import { say } from "./say.js";

/** `element` is the <ol>; `contextOf(lot)` what a row needs beside its lot. */
export function listIn(element, contextOf) {
  const rows = new Map(); // lot_id -> {element, name, about, update}
  let opened = null;
  let lots = new Map();
  let waiting = null;
  const isHeld = () => element.matches(":hover") || (element.contains(document.activeElement) && !isAtRest());
  const isAtRest = () => document.activeElement === document.body;

  const settle = () => {
    if (waiting !== null && !isHeld()) arrange(waiting);
  };
  element.addEventListener("pointerleave", () => setTimeout(settle));
  element.addEventListener("focusout", () => setTimeout(settle));
  element.addEventListener("click", (event) => {
    if (event.target.closest("a, .explains, .about")) return;
    const row = event.target.closest(".lot");
    if (row && getSelection().isCollapsed) toggle(row.dataset.lot);
  });
  element.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !event.target.classList.contains("name")) return;
    const names = [...element.querySelectorAll(".lot:not([hidden]) .name")];
    names[names.indexOf(event.target) + step]?.focus();
    event.preventDefault();
  });

  function rowFor(lot) {
    if (!rows.has(lot.id)) rows.set(lot.id, rowOf(lot));
    return rows.get(lot.id);
  }

  function toggle(id, isOpen = opened !== id) {
    hideExplanation();
    if (opened !== null && opened !== id) close(opened);
    opened = isOpen ? id : null;
    const row = rows.get(id);
    row.name.setAttribute("aria-expanded", String(isOpen));
    row.element.classList.toggle("is-open", isOpen);
    row.about.hidden = !isOpen;
    if (isOpen) row.about.replaceChildren(detailOf(lots.get(id), contextOf(lots.get(id))));
    else row.about.replaceChildren();
  }

  function close(id) {
    const row = rows.get(id);
    if (!row) return;
    row.name.setAttribute("aria-expanded", "false");
    row.element.classList.remove("is-open");
    row.about.hidden = true;
    row.about.replaceChildren();
  }

  function arrange(ids) {
    waiting = null;
    const wanted = ids.map((id) => rows.get(id).element);
    const focused = document.activeElement;
    const isSame = wanted.length === element.children.length && wanted.every((row, i) => row === element.children[i]);
    if (!isSame) element.replaceChildren(...wanted);
    if (focused instanceof HTMLElement && element.contains(focused)) focused.focus({ preventScroll: true });
  }

  /** Shows these lots, which are in their order already. */
  function show(ordered, shownIds, { isNewQuestion }) {
    lots = new Map(ordered.map((lot) => [lot.id, lot]));
    for (const lot of ordered) {
      const row = rowFor(lot);
      row.update(lot, contextOf(lot));
      row.element.hidden = !shownIds.has(lot.id);
    }
    if (opened !== null && !lots.has(opened)) opened = null;
    const ids = ordered.map((lot) => lot.id);
    if (isNewQuestion || !isHeld() || rows.size !== element.children.length) arrange(ids);
    else waiting = ids;
    element.removeAttribute("aria-busy");
  }

  /** The details of the open row, renewed with its minute; not while somebody reads a link in it. */
  function renewDetail() {
    if (opened === null || rows.get(opened).about.contains(document.activeElement)) return;
    const lot = lots.get(opened);
    rows.get(opened).about.replaceChildren(detailOf(lot, contextOf(lot)));
  }

  function open(id) {
    const row = rows.get(id);
    if (!row) return;
    if (opened !== id) toggle(id, true);
    row.element.hidden = false;
    row.name.focus({ preventScroll: true });
    row.element.scrollIntoView({ block: "center" });
  }

  return { show, open, renewDetail, lotOf: (node) => lots.get(node.closest("[data-lot]")?.dataset.lot) };
}

/** All lots, nearest first, and the ids of those that are asked for. */
export function ordered(lots, { search, only, usable, from }) {
  const far = new Map(lots.map((lot) => [lot.id, metres(lot, from) ?? Infinity]));
  const rank = (lot) => {
    const answer = usable?.answers.get(lot.id);
    return !usable ? 0 : answer?.usable === true ? 0 : answer?.usable === false ? 2 : 1;
  };
  const found = [...lots].sort((a, b) => rank(a) - rank(b) || far.get(a.id) - far.get(b.id) || (a.id < b.id ? -1 : 1));
  const isShown = (lot) =>
    (search === "" || matches(lot, search))
    && (!only || (usable ? usable.answers.get(lot.id)?.usable === true : hasSpaces(lot)));
  return { found, shown: new Set(found.filter(isShown).map((lot) => lot.id)), far };
}

export function showCount(element, shown, total) {
  text(element, say("count", { shown, total }));
}
