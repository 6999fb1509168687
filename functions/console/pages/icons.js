// Small shapes, one for each kind of state: who cannot tell the colours tells these apart.

import { svg } from "./dom.js";

const LINE = { fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" };
const circle = (set) => svg("circle", { cx: 8, cy: 8, r: 5.5, ...set });
const line = (d) => svg("path", { d, ...LINE });

const SHAPES = {
  good: () => [line("M3 8.5l3.2 3.2L13 5")],
  gone: () => [circle({ fill: "currentColor" })],
  bad: () => [line("M4 4l8 8M12 4l-8 8")],
  busy: () => [circle(LINE), svg("path", { d: "M8 2.5a5.5 5.5 0 0 1 0 11z", fill: "currentColor" })],
  later: () => [circle(LINE), line("M8 5v3.2l2 1.3")],
  doubt: () => [line("M5.4 6a2.6 2.6 0 1 1 3.7 2.4C8.3 8.8 8 9.2 8 10"), svg("circle", { cx: 8, cy: 13, r: 1.2, fill: "currentColor" })],
  none: () => [line("M3.5 8h9")],
  back: () => [line("M6.5 3.5L3 7l3.5 3.5M3 7h6a4 4 0 0 1 0 6.5H7")],
  note: () => [circle({ r: 2.5, fill: "currentColor" })],
};

/** Draw the shape of a kind of state. The words beside it say the same. */
export function icon(kind) {
  return svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, class: "icon", "aria-hidden": "true", focusable: "false" },
    SHAPES[kind in SHAPES ? kind : "note"]());
}

/** Draw the bell. */
export function bell() {
  return svg("svg", { viewBox: "0 0 24 24", width: 22, height: 22, class: "bell", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: "M12 3c-3.6 0-5.5 2.7-5.5 6v4L4 17h16l-2.5-4V9c0-3.3-1.9-6-5.5-6z", fill: "currentColor" }),
    svg("path", { d: "M10 19.5a2.1 2.1 0 0 0 4 0", fill: "currentColor" }));
}
