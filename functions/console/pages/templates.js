// What messages say: every template, with its languages by channel and the version that new notifications get.

import { ask } from "./api.js";
import { row, table } from "./controls.js";
import { h, put } from "./dom.js";
import { moment } from "./format.js";
import { begin } from "./page.js";
import { channelName } from "./words.js";

export async function show({ signal, query, focus }) {
  const body = begin("Templates", { about: "What messages say, by channel and language." });
  put(body, h("p", { class: "empty" }, "Looking…"));
  focus();
  const { templates, next_cursor: next } = await ask("GET", "/templates", { query: { cursor: query.cursor }, signal });
  put(body, templates.length ? listing(templates) : h("p", { class: "empty" }, "There is none. The built-in words are used for every channel."),
    next && h("nav", { class: "row", "aria-label": "Pages" }, h("a", { class: "button", href: `#/templates?${new URLSearchParams({ cursor: next })}` }, "More")));
}

function listing(templates) {
  const rows = templates.map((one) => row([
    [h("a", { href: `#/templates/${encodeURIComponent(one.name)}` }, one.name), "name"],
    [one.published ?? "none", "number"],
    [one.latest > (one.published ?? 0) ? `${one.latest}, a draft` : one.latest, "number"],
    [languages(one.languages), "marks"], [h("time", { datetime: one.updated_at }, moment(one.updated_at)), "when"]]));
  return table("Templates by name", [["Name"], ["Published", "number"], ["Latest", "number"], ["Channels and languages"], ["Last change"]], rows);
}

function languages(found) {
  return Object.entries(found).map(([channel, ones]) =>
    h("span", { class: "mark" }, channelName(channel), " ", h("span", { class: "hint" }, ones.join(", ")), " "));
}
