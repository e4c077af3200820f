// What does the feed push? Server-sent events read from a fetch, so that the first request can say what is there
// already and a silence can be noticed: the feed sends a heartbeat every 15 s.

const SILENCE_MS = 40_000;

/**
 * Reads /parking/v1/stream until it ends; throws when it is cut. `since` is the id of what the page has, or null.
 * onEvent({id, name, data}) for each event, onSign(date) for each sign of life; date is the server's, at the start.
 */
export async function listen(url, since, { onEvent, onSign, signal }) {
  const quiet = new AbortController();
  const cancel = () => quiet.abort();
  signal.addEventListener("abort", cancel);
  let timer = setTimeout(cancel, SILENCE_MS);
  try {
    const headers = { Accept: "text/event-stream", ...(since === null ? {} : { "Last-Event-ID": since }) };
    const answer = await fetch(url, { headers, signal: quiet.signal, cache: "no-store" });
    if (!answer.ok || answer.body === null) throw new Error(`${url}: ${answer.status}`);
    onSign(answer.headers.get("Date"));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const take = parser(onEvent);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`${url} has ended`);
      clearTimeout(timer);
      timer = setTimeout(cancel, SILENCE_MS);
      onSign(null);
      take(value);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
    quiet.abort();
  }
}

/** Pieces of text in, whole events out. */
export function parser(onEvent) {
  let rest = "";
  return (piece) => {
    rest += piece.replaceAll("\r\n", "\n");
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const event = { id: null, name: "message", data: "" };
      for (const line of rest.slice(0, end).split("\n")) {
        const colon = line.indexOf(":");
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
        if (field === "event") event.name = value;
        else if (field === "id") event.id = value;
        else if (field === "data") event.data += event.data === "" ? value : `\n${value}`;
      }
      rest = rest.slice(end + 2);
      if (event.data !== "") onEvent(event);
    }
  };
}
