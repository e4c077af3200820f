// Where is the data, and under which terms? The foot of the page, which the server wrote, in the language chosen now.

import { ZONE } from "./format.js";
import { named, say } from "./say.js";
import { make } from "./row.js";

export function showData(register) {
  const { system, links } = register;
  const files = make("ul", "files");
  for (const feed of links.feeds) files.append(file(feed.url, named(feed.title_zh, feed.title_en), feed.name));
  files.append(file("/openapi.json", say("data.api"), "openapi.json"));
  const terms = make("p");
  terms.append(
    `${say("data.publisher")}: ${named(system.publisher_zh, system.publisher_en)} · ${say("data.licence")}: `,
    link(system.license_url, system.license_id, "license"), ` · ${say("data.contact")}: `,
    link(`mailto:${system.contact}`, system.contact),
  );
  const sources = make("ul", "sources");
  for (const row of system.attribution) {
    const item = make("li");
    item.append(/^https?:\/\//.test(row.url ?? "") ? link(row.url, row.attribution, "noopener") : row.attribution, " ");
    item.append(make("small", "", `${row.source} · ${row.licence}`));
    sources.append(item);
  }
  document.getElementById("data").replaceChildren(
    make("h2", "", say("data")),
    make("p", "", `${say("data.intro")} ${say("data.times", { zone: ZONE })}`),
    files, make("h3", "", say("data.sources")), terms, sources,
  );
}

function file(url, title, name) {
  const item = make("li");
  item.append(link(url, title), " ", make("small", "", name));
  return item;
}

function link(href, content, rel) {
  const element = make("a", "", content);
  element.href = href;
  if (rel) element.rel = rel;
  return element;
}
