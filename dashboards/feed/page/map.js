// Where are the car parks? The subdistricts of the register as ground, no tiles; every lot by its shape and colour.

import {
  LngLatBounds, Map as MapLibre, Marker, NavigationControl, ScaleControl,
} from "/page/maplibre-gl/maplibre-gl.mjs";

import { count } from "./format.js";
import { areaOf, isStale, nameOf } from "./lots.js";
import { ageText, make, priceText, shareText, underNumber } from "./row.js";
import { named, say } from "./say.js";
import { image, sign, STATUSES } from "./shapes.js";

const RATIO = 2;
const ICON_PX = 28;
const TOUCH_PX = 10;
const DARK = matchMedia("(prefers-color-scheme: dark)");

/** Resolves when the map stands. Throws where it cannot be drawn. */
export async function mapIn(element, { ground, onChosen, onPoint, shared }) {
  style("/page/maplibre-gl/maplibre-gl.css");
  let lots = new Map();
  let chosen = null;
  let originMarker = null;
  const map = new MapLibre({
    container: element,
    style: styleOf(ground),
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    fadeDuration: 0,
    maxZoom: 18,
    minZoom: 8,
    cooperativeGestures: false,
    localIdeographFontFamily: "system-ui, 'Noto Sans SC', sans-serif",
    locale: locale(),
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new ScaleControl({ unit: "metric" }), "bottom-left");
  await new Promise((done, failed) => {
    map.once("load", done);
    map.once("error", ({ error }) => failed(error));
  });
  map.on("error", ({ error }) => console.warn("map:", error.message));
  element.maplibre = map; // for whoever wants to look into it
  drawImages(map);
  const labels = labelsOf(map, ground);
  sayLabels();
  legend();
  DARK.addEventListener("change", () => {
    drawImages(map);
    for (const [layer, property, name] of PAINTS) map.setPaintProperty(layer, property, colour(name));
    map.setPaintProperty("numbers", "text-color", numberColour());
  });

  map.on("click", (event) => {
    const { x, y } = event.point;
    const near = map.queryRenderedFeatures([[x - TOUCH_PX, y - TOUCH_PX], [x + TOUCH_PX, y + TOUCH_PX]], { layers: ["lots"] });
    const distance = (feature) => {
      const at = map.project(feature.geometry.coordinates);
      return Math.hypot(at.x - x, at.y - y);
    };
    near.sort((a, b) => distance(a) - distance(b));
    if (near.length > 0) choose(near[0].properties.id, false);
    else if (chosen !== null) choose(null);
    else onPoint({ lat: event.lngLat.lat, lon: event.lngLat.lng });
  });
  map.on("mousemove", "lots", () => (map.getCanvas().style.cursor = "pointer"));
  map.on("mouseleave", "lots", () => (map.getCanvas().style.cursor = ""));

  let isFitted = false;

  function show(now, shownIds, isNewQuestion) {
    lots = new Map(now.map((lot) => [lot.id, lot]));
    const features = now.filter((lot) => lot.about?.wgs84).map((lot) => featureOf(lot, shownIds.has(lot.id)));
    map.getSource("lots").setData({ type: "FeatureCollection", features });
    const asked = features.filter((feature) => feature.properties.shown);
    const isPart = asked.length > 0 && asked.length < features.length;
    if (!isFitted) fit(ground && !isPart ? ground.features : asked, false);
    else if (isNewQuestion && isPart) fit(asked, true);
    isFitted = true;
    if (chosen !== null) showChosen();
  }

  function fit(features, isMoved) {
    const bounds = new LngLatBounds();
    const extend = (coordinates) =>
      typeof coordinates[0] === "number" ? bounds.extend(coordinates) : coordinates.forEach(extend);
    for (const { geometry } of features) if (geometry) extend(geometry.coordinates);
    if (!bounds.isEmpty()) map.fitBounds(bounds, { padding: 28, maxZoom: 16, animate: isMoved });
  }

  function choose(id, isMoved = true) {
    chosen = lots.has(id) ? id : null;
    map.setFilter("chosen", ["==", ["get", "id"], chosen ?? ""]);
    const place = lots.get(chosen)?.about?.wgs84;
    if (place && isMoved) map.easeTo({ center: [place.lon, place.lat], zoom: Math.max(map.getZoom(), 15) });
    showChosen();
  }

  function showChosen() {
    const card = document.getElementById("chosen");
    const lot = lots.get(chosen);
    card.hidden = !lot;
    if (lot) card.replaceChildren(...cardOf(lot, shared(), { onChosen, onClose: () => choose(null) }));
    if (lot) card.dataset.lot = lot.id;
    card.setAttribute("aria-label", lot ? nameOf(lot) : "");
  }

  function origin(place) {
    originMarker?.remove();
    originMarker = place
      ? new Marker({ element: make("div", "origin-mark") }).setLngLat([place.lon, place.lat]).addTo(map) : null;
  }

  function sayLabels() {
    for (const { element: label, properties } of labels) label.textContent = named(properties.name_zh?.replace(/街道$/, ""), properties.name_en);
  }

  function sayAgain() {
    sayLabels();
    legend();
    showChosen();
    map.getCanvas().setAttribute("aria-label", say("map.label"));
    const buttons = { "zoom-in": "map.zoom_in", "zoom-out": "map.zoom_out" };
    for (const [name, key] of Object.entries(buttons)) {
      const button = element.querySelector(`.maplibregl-ctrl-${name}`);
      button.setAttribute("aria-label", say(key));
      button.title = say(key);
    }
  }

  sayAgain();
  return { show, choose, origin, sayAgain };
}

function featureOf(lot, isShown) {
  const { lat, lon } = lot.about.wgs84;
  const { status, available } = lot.status;
  return {
    type: "Feature",
    geometry: { type: "Point", coordinates: [lon, lat] },
    properties: {
      id: lot.id,
      icon: `${status}${isStale(lot) ? "-stale" : ""}`,
      stale: isStale(lot),
      shown: isShown,
      number: available === null ? "–" : String(available),
      order: { open: 3, almost_full: 2, full: 1 }[status] ?? 0,
    },
  };
}

function drawImages(map) {
  for (const status of STATUSES) {
    for (const stale of [false, true]) {
      const name = `${status}${stale ? "-stale" : ""}`;
      const found = image(status, stale, false, ICON_PX * RATIO);
      if (map.hasImage(name)) map.updateImage(name, found);
      else map.addImage(name, found, { pixelRatio: RATIO });
    }
  }
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const numberColour = () => ["case", ["get", "stale"], colour("quiet"), colour("text")];

const PAINTS = [
  ["water", "background-color", "ground"],
  ["areas", "fill-color", "panel"],
  ["borders", "line-color", "border"],
  ["chosen", "circle-stroke-color", "text"],
  ["numbers", "text-halo-color", "panel"],
];

function styleOf(ground) {
  const empty = { type: "FeatureCollection", features: [] };
  const opacity = ["case", ["get", "shown"], 1, 0.18];
  return {
    version: 8,
    sources: {
      ground: { type: "geojson", data: ground ?? empty },
      lots: { type: "geojson", data: empty },
    },
    layers: [
      { id: "water", type: "background", paint: { "background-color": colour("ground") } },
      { id: "areas", type: "fill", source: "ground", paint: { "fill-color": colour("panel") } },
      {
        id: "borders", type: "line", source: "ground", layout: { "line-join": "round" },
        paint: { "line-color": colour("border"), "line-width": 1.5 },
      },
      {
        id: "chosen", type: "circle", source: "lots", filter: ["==", ["get", "id"], ""],
        paint: {
          "circle-radius": 18, "circle-color": "rgba(0,0,0,0)", "circle-stroke-color": colour("text"), "circle-stroke-width": 2.5,
        },
      },
      {
        id: "lots", type: "symbol", source: "lots",
        layout: {
          "icon-image": ["get", "icon"], "icon-allow-overlap": true, "icon-ignore-placement": true,
          "icon-size": ["interpolate", ["linear"], ["zoom"], 11, 0.5, 13, 0.7, 15, 1],
          "symbol-sort-key": ["get", "order"],
        },
        paint: { "icon-opacity": opacity },
      },
      {
        id: "numbers", type: "symbol", source: "lots", minzoom: 14,
        layout: {
          "text-field": ["get", "number"], "text-size": 13, "text-anchor": "top", "text-offset": [0, 0.9],
          "text-optional": true, "text-font": ["system-ui"],
        },
        paint: {
          "text-color": numberColour(), "text-halo-color": colour("panel"), "text-halo-width": 1.6, "text-opacity": opacity,
        },
      },
    ],
  };
}

/** Names of subdistricts as elements: the page's own type, in both languages, and read by whoever reads the page aloud. */
function labelsOf(map, ground) {
  return (ground?.features ?? []).filter(({ geometry }) => geometry).map(({ geometry, properties }) => {
    const element = make("div", "area-label");
    new Marker({ element, anchor: "center" }).setLngLat(inside(geometry)).addTo(map);
    element.removeAttribute("role");
    element.removeAttribute("tabindex");
    element.removeAttribute("aria-label");
    return { element, properties };
  });
}

/** The centroid of the largest ring. */
function inside(geometry) {
  const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
  let best = { area: -1, at: [0, 0] };
  for (const [ring] of polygons) {
    let [area, x, y] = [0, 0, 0];
    for (let i = 0; i < ring.length - 1; i += 1) {
      const cross = ring[i][0] * ring[i + 1][1] - ring[i + 1][0] * ring[i][1];
      area += cross;
      x += (ring[i][0] + ring[i + 1][0]) * cross;
      y += (ring[i][1] + ring[i + 1][1]) * cross;
    }
    if (Math.abs(area) > best.area) best = { area: Math.abs(area), at: [x / (3 * area), y / (3 * area)] };
  }
  return best.at;
}

function cardOf(lot, context, { onChosen, onClose }) {
  const { status } = lot;
  const head = make("div", "chosen-head");
  const word = make("span", "state");
  word.append(sign(status.status), say(`status.${status.status}`));
  const facts = make("p", "facts");
  facts.append(word, make("span", "", ageText(lot, context.now)), make("span", "", areaOf(lot)));
  head.append(make("h3", "", nameOf(lot)), facts);
  const number = make("button", `number explains${isStale(lot) ? " is-stale" : ""}`);
  number.type = "button";
  number.dataset.why = "available";
  number.append(make("b", "figure", status.available === null ? "–" : count(status.available)));
  number.append(make("span", "under", underNumber(lot)));
  const share = shareText(lot, context.now);
  const more = make("p", "more", [share, priceText(lot, context.now)].filter(Boolean).join(" · "));
  const details = make("button", "button small strong", say("map.to_list"));
  const close = make("button", "button small", say("map.chosen.close"));
  details.type = close.type = "button";
  details.addEventListener("click", () => onChosen(lot.id));
  close.addEventListener("click", onClose);
  const buttons = make("p", "links");
  buttons.append(details, close);
  return [head, number, more, buttons];
}

function legend() {
  const place = document.getElementById("legend");
  const items = ["open", "almost_full", "full", "closed", "unknown"].map((status) => {
    const item = make("span", "legend-item");
    item.append(sign(status), say(`status.${status}`));
    return item;
  });
  const stale = make("span", "legend-item");
  stale.append(make("i", "hatched"), say("map.stale"));
  place.replaceChildren(...items, stale, make("span", "legend-hint", say("map.hint")));
  place.setAttribute("aria-label", say("map.legend"));
}

const locale = () => ({
  "Map.Title": say("map.label"),
  "NavigationControl.ZoomIn": say("map.zoom_in"),
  "NavigationControl.ZoomOut": say("map.zoom_out"),
  "ScaleControl.Meters": say("m"),
  "ScaleControl.Kilometers": say("km"),
});

function style(href) {
  if (document.querySelector(`link[href="${href}"]`)) return;
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  document.head.append(link);
}
