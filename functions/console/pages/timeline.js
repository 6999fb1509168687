// The saga of one notification as a list in order: what was decided, when, on which channel, and why.

import { h } from "./dom.js";
import { between, clock, day, duration } from "./format.js";
import { icon } from "./icons.js";
import { channelName, lineWords } from "./words.js";

const SHOWN = ["provider", "code", "epoch", "until", "due_at", "passed", "under_way", "count"];

/** Show a timeline. The difference is to the line before. */
export function timeline(lines) {
  let before = null;
  return h("ol", { class: "timeline" }, lines.map((line) => {
    const made = lineOf(line, before);
    before = line.at;
    return made;
  }));
}

function lineOf(line, before) {
  const [kind, words] = lineWords(line);
  return h("li", { class: `line is-${kind}` },
    h("span", { class: "when" }, h("time", { datetime: line.at, title: `${day(line.at)}, ${clock(line.at)}` }, clock(line.at)),
      h("span", { class: "gap" }, before ? `+${duration(Math.max(0, between(before, line.at)))}` : day(line.at))),
    h("span", { class: "node" }, icon(kind)),
    h("div", { class: "what" },
      h("span", { class: "what-words" }, words), line.channel && h("span", { class: "channel" }, channelName(line.channel)),
      line.why && h("p", { class: "why" }, line.why), details(line.detail)));
}

function details(detail) {
  const found = SHOWN.filter((name) => !isEmpty(detail?.[name])).map((name) => [name, detail[name]]);
  if (!found.length) return null;
  return h("dl", { class: "details" }, found.map(([name, value]) =>
    h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, written(value)))));
}

function isEmpty(value) {
  if (value === undefined || value === null || value === "" || value === 0) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Write any value of a detail in a line. */
export function written(value) {
  if (Array.isArray(value)) return value.map(written).join(", ");
  if (value && typeof value === "object") {
    return Object.entries(value).map(([name, inner]) => `${name}: ${written(inner)}`).join("; ");
  }
  return String(value);
}
