// Bars per minute, in SVG. Each bar tells its own number, and the same numbers stand in a table below.

import { h, svg } from "./dom.js";
import { count, minute } from "./format.js";

const WIDTH = 270;
const HEIGHT = 98;
const FLOOR = 78;
const ROOF = 12;
const GAP = 2;

/** Draw one measure: `values` with the moments they begin at, the newest last. */
export function bars(title, values, kind, note = "") {
  const top = roof(Math.max(0, ...values.map(({ value }) => value)));
  const total = values.reduce((sum, { value }) => sum + value, 0);
  const last = values.at(-2)?.value ?? 0; // the newest minute has only begun
  return h("figure", { class: `chart is-${kind}` },
    h("figcaption", {}, h("span", { class: "chart-name" }, title), h("span", { class: "chart-now" }, count(total)),
      h("span", { class: "hint" }, `${count(last)} in the last whole minute${note}`)),
    picture(`${title}: ${count(total)} in ${values.length} minutes, ${count(last)} in the last whole one`, values, top));
}

function picture(about, values, top) {
  const wide = WIDTH / Math.max(1, values.length);
  const middle = Math.floor(values.length / 2);
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": about, class: "bars", focusable: "false" },
    svg("line", { x1: 0, x2: WIDTH, y1: ROOF, y2: ROOF, class: "grid" }),
    svg("line", { x1: 0, x2: WIDTH, y1: FLOOR, y2: FLOOR, class: "floor" }),
    svg("text", { x: WIDTH, y: ROOF - 3, "text-anchor": "end", class: "tick" }, count(top)),
    values.map((one, place) => bar(one, place * wide, wide, top, place === values.length - 1)),
    tick(values[0], 0, "start"), tick(values[middle], middle * wide, "middle"), tick(values.at(-1), WIDTH, "end"));
}

function bar({ at, value }, x, wide, top, isNow) {
  const high = value ? Math.max(1.5, (value / top) * (FLOOR - ROOF)) : 0;
  return svg("g", { class: isNow ? "now" : null },
    svg("title", {}, `${minute(at)}: ${count(value)}`),
    svg("rect", { x: x.toFixed(2), y: ROOF, width: wide.toFixed(2), height: FLOOR - ROOF, fill: "transparent" }),
    svg("rect", {
      x: (x + GAP / 2).toFixed(2), y: (FLOOR - high).toFixed(2), width: Math.max(1, wide - GAP).toFixed(2),
      height: high.toFixed(2), rx: 1, class: "bar",
    }));
}

function tick(one, x, anchor) {
  return one ? svg("text", { x: x.toFixed(1), y: HEIGHT - 4, "text-anchor": anchor, class: "tick" }, minute(one.at)) : null;
}

const ROUND = [1, 1.5, 2, 3, 4, 5, 7.5, 10];

/** Round up to a round number: a scale that does not jump with every event. */
export function roof(value) {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  return Math.ceil(ROUND.map((step) => step * power).find((step) => step >= value));
}
