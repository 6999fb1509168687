// What each channel would get of a template, side by side.

import { h } from "./dom.js";
import { count, plural } from "./format.js";
import { htmlFrame, textFrame } from "./frames.js";
import { channelName, hasSubject } from "./words.js";

/** Show a preview of every channel. */
export function previews({ previews: found }) {
  return found.map((one) => h("article", { class: "card message" },
    h("h3", {}, channelName(one.channel), " ", h("span", { class: "hint" }, one.language)),
    one.problem ? h("p", { class: "notice is-bad" }, one.problem) : words(one),
    one.missing.length > 0 && h("p", { class: "hint" }, `Missing: ${one.missing.join(", ")}`)));
}

function words(one) {
  const about = `What ${channelName(one.channel)} would say`;
  return [
    one.subject && hasSubject(one.channel) && h("p", { class: "subject" }, one.subject),
    one.html ? htmlFrame(one.html, about) : one.body !== null && textFrame(one.body, about),
    one.html && h("details", {}, h("summary", {}, "As text"), h("pre", { class: "plain", tabindex: "0" }, one.body)),
    one.size && h("p", { class: `hint ${one.size.fits ? "" : "is-bad"}`.trim() }, sizeOf(one)),
  ];
}

function sizeOf({ size, segments }) {
  const parts = [plural(size.characters, "character")];
  if (segments) parts.push(`${plural(segments.count, "segment")} (${segments.encoding})`);
  if (size.limit) parts.push(size.fits ? `of at most ${count(size.limit)}` : `too long: at most ${count(size.limit)}`);
  if (segments?.not_gsm.length) parts.push(`not in GSM: ${segments.not_gsm.join(" ")}`);
  return parts.join(" · ");
}
