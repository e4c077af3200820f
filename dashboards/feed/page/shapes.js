// Which shape and colour has a status? Both for each, so that colour is never alone; list and map draw the same paths.
//
// Paths lie in a box of 24 x 24 around (12, 12).

export const PATHS = {
  open: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Z",
  almost_full: "M12 2.8 22 20.4H2Z",
  full: "M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3Z",
  closed: "M12 2.2 21.8 12 12 21.8 2.2 12Z",
  unknown: "M12 4.2a7.8 7.8 0 1 0 0 15.6 7.8 7.8 0 0 0 0-15.6Z",
  withdrawn: "M4.5 4.5h15v15h-15Z",
};
const INNER = { closed: "M8.2 12h7.6", unknown: "M8.6 12h6.8", withdrawn: "m8 8 8 8m0-8-8 8", full: "M8.4 12h7.2" };
export const STATUSES = Object.keys(PATHS);
const NS = "http://www.w3.org/2000/svg";

/** The sign of a status for the list; its colours are those of the style sheet. */
export function sign(status) {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `sign sign-${status}`);
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(NS, "path");
  shape.setAttribute("class", "body");
  shape.setAttribute("d", PATHS[status] ?? PATHS.unknown);
  svg.append(shape);
  if (INNER[status]) {
    const inner = document.createElementNS(NS, "path");
    inner.setAttribute("class", "inner");
    inner.setAttribute("d", INNER[status]);
    svg.append(inner);
  }
  return svg;
}

/** The same for the map: an image of `size` device pixels with the colours of the style sheet now in force. */
export function image(status, isStale, isQuiet, size) {
  const colours = getComputedStyle(document.documentElement);
  const colour = (name) => colours.getPropertyValue(`--${name}`).trim();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  context.scale(size / 28, size / 28);
  context.translate(2, 2);
  const shape = new Path2D(PATHS[status]);
  context.lineJoin = "round";
  context.strokeStyle = colour("panel");
  context.lineWidth = 4;
  context.stroke(shape); // a halo: signs that lie upon each other stay apart
  const isPlain = isStale || isQuiet || status === "unknown" || status === "withdrawn";
  context.fillStyle = isPlain ? colour("panel") : colour(`status-${status}`);
  context.fill(shape);
  if (isStale || isQuiet) hatch(context, shape, colour("quiet"));
  context.strokeStyle = isPlain ? colour("quiet") : colour("outline");
  context.lineWidth = 1.6;
  context.stroke(shape);
  if (INNER[status]) {
    context.strokeStyle = isPlain ? colour("quiet") : colour(`on-${status}`);
    context.lineWidth = 2.4;
    context.lineCap = "round";
    context.stroke(new Path2D(INNER[status]));
  }
  return context.getImageData(0, 0, size, size);
}

function hatch(context, shape, colour) {
  context.save();
  context.clip(shape);
  context.strokeStyle = colour;
  context.lineWidth = 1.3;
  for (let x = -24; x < 48; x += 4.5) {
    context.beginPath();
    context.moveTo(x, 24);
    context.lineTo(x + 24, 0);
    context.stroke();
  }
  context.restore();
}
