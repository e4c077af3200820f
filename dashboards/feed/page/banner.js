// Is the feed away? Said on top, with its seconds counted, and everything below is grey while it lasts.

import { absence } from "./feed.js";
import { clock } from "./format.js";
import { say } from "./say.js";
import { text } from "./row.js";

export function showBanner(state, nowMs) {
  const found = absence(state, nowMs);
  const banner = document.getElementById("banner");
  document.documentElement.classList.toggle("is-cut", found !== null);
  // nothing was ever read: what the server wrote into the page is better than nothing
  document.documentElement.classList.toggle("is-static", found?.kind === "gone");
  banner.hidden = found === null;
  if (found === null) return;
  const at = state.lastUpdated === null ? "" : clock(state.lastUpdated, nowMs);
  const words = say(`banner.${found.kind}`, { n: found.seconds, at });
  banner.setAttribute("aria-live", "off"); // its seconds are not read aloud one by one
  text(banner, found.kind === "gone" ? `${words}${say("list.sep")}${say("banner.static")}` : words);
}
