// Can the car parks be used by somebody who arrives later and stays a while? The feed answers; the page only asks.

import { clock, localValue, minutes, offset } from "./format.js";
import { askUsable } from "./feed.js";
import { say } from "./say.js";
import { make } from "./row.js";

const STAYS_MIN = [30, 60, 120, 180, 240, 480, 720];
const USUAL_STAY_MIN = 120;
const USUAL_WAY_MS = 20 * 60_000;

/** onAnswer({eta, stayMin, answers} or null, isNewQuestion). Asked again with each minute while it stands. */
export function arrivalIn(now, onAnswer) {
  const form = document.getElementById("arrival-form");
  const whole = document.getElementById("arrival");
  const eta = document.getElementById("eta");
  const stay = document.getElementById("stay");
  const clear = document.getElementById("arrival-clear");
  const said = document.getElementById("asked");
  let question = null;
  let last = null;

  function sayStays() {
    const chosen = stay.value || String(USUAL_STAY_MIN);
    stay.replaceChildren(...STAYS_MIN.map((n) => Object.assign(make("option", "", minutes(n)), { value: String(n) })));
    stay.value = chosen;
    if (last) said.textContent = summary(last);
  }

  function summary({ eta: at, stayMin, answers }) {
    const verdicts = [...answers.values()].map((answer) => answer.usable);
    const number = (verdict) => verdicts.filter((one) => one === verdict).length;
    return say("arrival.summary", {
      at: clock(at, now()), stay: minutes(stayMin), yes: number(true), no: number(false), unknown: number(null),
    });
  }

  async function ask(isNewQuestion) {
    const asked = question;
    if (asked === null) return;
    try {
      const answers = await askUsable(asked.eta, asked.stayMin);
      if (asked !== question) return;
      last = { ...asked, answers };
      said.textContent = summary(last);
      onAnswer(last, isNewQuestion);
    } catch (error) {
      if (asked === question) said.textContent = say("arrival.failed", { why: error.message });
    }
    said.hidden = false;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    question = { eta: `${eta.value}:00${offset()}`, stayMin: Number(stay.value) };
    clear.hidden = false;
    ask(true);
  });
  clear.addEventListener("click", () => {
    question = last = null;
    said.hidden = clear.hidden = true;
    whole.open = false;
    onAnswer(null, true);
  });
  whole.addEventListener("toggle", () => {
    if (whole.open && question === null) eta.value = localValue(now() + USUAL_WAY_MS);
  });
  return { sayStays, renew: () => ask(false) };
}
