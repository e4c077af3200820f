// Which words does the page use, and in which language? Those of words.json, which the server uses too.

const REMEMBERED = "citysense.language";
const TAGS = { zh: "zh-CN", en: "en" };

let words = null;
let chosen = "zh";

/** Reads the words and chooses: what the address says, what was chosen before, else what the server sent. */
export async function learnToSay() {
  const answer = await fetch("/page/words.json");
  if (!answer.ok) throw new Error(`words.json: ${answer.status}`);
  words = await answer.json();
  const asked = new URLSearchParams(location.search).get("lang");
  chosen = [asked, remembered(), serverLanguage()].find((one) => one in TAGS);
  if (asked in TAGS) remember(asked);
}

export function language() {
  return chosen;
}

export function choose(next) {
  chosen = next;
  remember(next);
}

export const isChinese = () => chosen === "zh";

export function say(key, values = {}) {
  const text = words[chosen][key];
  if (text === undefined) return key.slice(key.lastIndexOf(".") + 1).replaceAll("_", " ");
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Is there a word of ours for it? */
export const knows = (key) => key in words[chosen];

/** Of two names of a thing the one in this language. */
export const named = (zh, en) => (isChinese() ? zh ?? en : en ?? zh) ?? "";

/** Puts the words into everything that the server wrote with data-say. */
export function sayAll(root = document) {
  document.documentElement.lang = TAGS[chosen];
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll("[data-say-label]"))
    element.setAttribute("aria-label", say(element.dataset.sayLabel));
  for (const element of root.querySelectorAll("[data-say-placeholder]"))
    element.setAttribute("placeholder", say(element.dataset.sayPlaceholder));
}

function serverLanguage() {
  const served = document.documentElement.dataset.language;
  if (served === "zh" && location.pathname === "/" && !/^zh/i.test(navigator.language ?? "zh")) return "en";
  return served;
}

function remembered() {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null; // storage is switched off: the choice lasts as long as the page
  }
}

function remember(value) {
  try {
    localStorage.setItem(REMEMBERED, value);
  } catch {
    // as above
  }
}
