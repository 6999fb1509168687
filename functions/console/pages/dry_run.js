// What a replay would do, without doing it: the verdict, what holds it up, and every step with its words.

import { refusalOf } from "./api.js";
import { h } from "./dom.js";
import { moment } from "./format.js";
import { htmlFrame, textFrame } from "./frames.js";
import { badge, channelName, hasSubject } from "./words.js";

/** Show the answer to one dry run, or why there is none. */
export function dryRun(answer) {
  if (answer.problem) return h("p", { class: "notice is-bad" }, refusalOf(answer.problem).line);
  return h("div", { class: "dry-run" },
    h("p", { class: "standing" }, badge("verdict", answer.verdict), h("span", {}, answer.why)),
    answer.holds.length > 0 && h("ul", { class: "holds", "aria-label": "What holds it up" }, answer.holds.map(hold)),
    answer.steps.length > 0 && h("ol", { class: "steps", "aria-label": "Steps" }, answer.steps.map(step)));
}

function hold({ rule, why, until }) {
  return h("li", {}, h("b", {}, rule), `: ${why}`, until ? h("span", { class: "hint" }, ` until ${moment(until)}`) : "");
}

function step(one) {
  const name = channelName(one.channel);
  const about = `What ${name} would say`;
  return h("li", { class: `card step is-${one.verdict}` },
    h("h3", {}, name, " ", badge("step", one.verdict)),
    one.why && h("p", { class: "why" }, one.why), one.verdict !== "passed" && facts(one),
    one.subject && hasSubject(one.channel) && h("p", { class: "subject" }, one.subject),
    one.verdict === "passed" ? null : one.html ? htmlFrame(one.html, about) : one.text && textFrame(one.text, about));
}

function facts({ to, provider, provider_state: state }) {
  const found = [["To", to], ["Provider", provider], ["Breaker", state && badge("breaker", state)]].filter(([, value]) => value);
  return h("dl", { class: "details" }, found.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
}
