// One notification: where it stands, everything that happened, why so and not otherwise, and what it said.

import { ask, part } from "./api.js";
import { button, factsOf, question, row, section, table, tell, told } from "./controls.js";
import { h, keep, put } from "./dom.js";
import { between, clock, duration, moment, plural } from "./format.js";
import { htmlFrame, textFrame } from "./frames.js";
import { address } from "./find.js";
import { begin, poll } from "./page.js";
import { may, whyNot } from "./session.js";
import { timeline, written } from "./timeline.js";
import { badge, CANCELLABLE, channelName, ENDED, hasSubject, meaning } from "./words.js";
import { letterOf, replayButton } from "./replaying.js";

const API = "/api/v1/notifications";
const QUIET_SECONDS = 10;

export async function show({ signal, id, focus }) {
  const age = h("p", { class: "age" }, "Looking…");
  const body = begin("Notification", { beside: age });
  const parts = { head: h("div", {}), todo: h("div", { class: "todo", "data-tells": "" }) };
  for (const name of ["story", "deliveries", "unused", "attempts", "messages", "rules"]) parts[name] = h("div", {});
  put(body, parts.head, parts.todo, section("What happened", parts.story), section("Deliveries", parts.deliveries),
    section("Why no other channel", parts.unused), section("Attempts", parts.attempts),
    section("What it says", parts.messages),
    section("Why so", h("details", {}, h("summary", {}, "Every rule that was asked, in order"), parts.rules)));
  focus();
  const seen = { version: null };
  const look = () => lookAgain(id, parts, seen, signal, look);
  await poll(look, age, signal, () => (ENDED.has(seen.status) ? QUIET_SECONDS : 2));
}

async function lookAgain(id, parts, seen, signal, again) {
  const story = await ask("GET", `${API}/${part(id)}`, { signal });
  const version = JSON.stringify(story);
  if (version === seen.version) return;
  const [explanation, said, letter] = await Promise.all([
    ask("GET", `${API}/${part(id)}/explain`, { signal }),
    ask("GET", `${API}/${part(id)}/messages`, { signal }),
    letterOf(story, signal),
  ]);
  Object.assign(seen, { version, status: story.status });
  keep(parts.head, [story.status, story.reason, story.updated_at, story.epoch], () => head(story));
  keep(parts.todo, [story.status, letter], () => todo(story, letter, again));
  keep(parts.story, story.timeline, () => timeline(story.timeline));
  keep(parts.deliveries, story.deliveries, () => deliveries(story.deliveries));
  keep(parts.unused, [story.passed, explanation.rules], () => unused(story, explanation.rules));
  keep(parts.attempts, story.attempts, () => attempts(story.attempts));
  keep(parts.messages, said.messages, () => messages(said.messages));
  keep(parts.rules, explanation.rules, () => rules(explanation.rules));
}

function head(story) {
  const facts = [
    ["User", h("a", { href: address({ user_id: story.user_id }) }, story.user_id)],
    ["Event type", h("a", { href: address({ event_type: story.event_type }) }, story.event_type)],
    ["Accepted", moment(story.created_at)],
    ["Took", duration(between(story.created_at, story.updated_at))],
    ["Correlation id", story.correlation_id && h("a", { class: "mono", href: address({ correlation_id: story.correlation_id }) }, story.correlation_id)],
    ["Source", story.source],
    ["Life", story.epoch ? `${story.epoch + 1}: it was replayed` : null],
    ["Send at", story.send_at && moment(story.send_at)],
    ["Expires", moment(story.expires_at)],
    ["Priority", story.priority === "normal" ? null : story.priority],
    ["Workflow", story.plan && `${story.plan.category} · ${story.plan.strategy} · ${story.plan.template}${story.plan.template_version ? ` version ${story.plan.template_version}` : ""}`],
    ["Digest", story.digest_id && h("a", { href: `#/notifications/${story.digest_id}` }, "the message that it is part of")],
    ["In this digest", story.digest_count && plural(story.digest_count, "notification")],
    ["Id", h("span", { class: "mono" }, story.id)],
  ];
  return h("div", { class: "card head" },
    h("p", { class: "standing" }, badge("notification", story.status), h("span", {}, meaning(story.status))),
    story.reason && h("p", { class: "reason" }, story.reason), factsOf(facts));
}

function todo(story, letter, again) {
  const cancel = CANCELLABLE.has(story.status) && may("send")
    ? button("Call it back", () => callBack(story, again), { id: "cancel" }) : null;
  const isOpen = letter?.status === "open";
  const replay = isOpen && may("manage") ? replayButton(letter, again) : null;
  const link = letter && h("a", { class: "button", href: `#/dead-letters/${letter.id}` }, isOpen ? "Its dead letter" : "Its settled dead letter");
  if (!cancel && !link) return told();
  const missing = isOpen && whyNot("manage");
  return [h("div", { class: "row" }, replay, link, cancel), missing && h("p", { class: "hint" }, missing), told()];
}

async function callBack(story, again) {
  const sentences = ["Nothing more is sent. What was sent is taken back where the channel allows it."];
  const answer = await question("Call this notification back?", sentences, { yes: "Call it back" });
  if (answer === null) return;
  const { status } = await ask("POST", `${API}/${part(story.id)}/cancel`);
  await again();
  tell(document.querySelector(".todo"), status === "cancelled" ? "It is called back." : "It will be: a call is under way.", "good");
}

function deliveries(found) {
  if (!found.length) return h("p", { class: "empty" }, "No channel was asked.");
  const rows = found.map((one) => row([channelName(one.channel), [badge("delivery", one.status), "state"], [one.reason, "words"],
    [one.tries, "number"], [one.due_at ? moment(one.due_at) : "", "when"], [moment(one.updated_at), "when"]]));
  const heads = [["Channel"], ["Status"], ["Reason"], ["Tries used", "number"], ["Due"], ["Last change"]];
  return table("Deliveries, one for each channel", heads, rows);
}

/** Say of every channel that was not used why: passed over when it was routed, or never its turn. */
function unused(story, found) {
  const used = new Set(story.deliveries.map(({ channel }) => channel));
  const lines = Object.entries(story.passed).map(([channel, why]) => [channel, why]);
  const told = new Set(lines.map(([channel]) => channel));
  for (const { rule, about, verdict, why } of found) {
    const isAnswer = (rule === "channel" && verdict !== "usable") || (rule === "turn" && verdict !== "asked");
    if (!isAnswer || used.has(about) || told.has(about)) continue;
    told.add(about);
    lines.push([about, why]);
  }
  if (!lines.length) return h("p", { class: "empty" }, story.plan ? "Every channel was used." : "It has not been routed yet.");
  return h("dl", { class: "whynot" }, lines.map(([channel, why]) =>
    h("div", {}, h("dt", {}, channelName(channel)), h("dd", {}, why))));
}

function attempts(found) {
  if (!found.length) return h("p", { class: "empty" }, "No provider was called.");
  const rows = found.map((one) => row([channelName(one.channel), [`${one.attempt}${one.epoch ? ` of life ${one.epoch + 1}` : ""}`, "number"],
    [badge("outcome", one.outcome), "state"], [one.reason || one.code, "words"], [one.code, "mono wide"], [one.provider, "mono name"],
    [one.started_at ? clock(one.started_at) : "", "when"],
    [one.started_at ? duration(between(one.started_at, one.ended_at)) : "", "number"]]));
  const heads = [["Channel"], ["No.", "number"], ["Outcome"], ["What was said"], ["Code", "wide"], ["Provider"], ["Began"], ["Took", "number"]];
  return table("Calls to providers", heads, rows);
}

function messages(found) {
  if (!found.length) return h("p", { class: "empty" }, "Nothing has been written, or it was erased.");
  return h("div", { class: "previews" }, found.map((one) => h("article", { class: "card message" },
    h("h3", {}, channelName(one.channel), one.epoch ? ` · life ${one.epoch + 1}` : ""),
    one.subject && hasSubject(one.channel) && h("p", { class: "subject" }, one.subject),
    one.html ? htmlFrame(one.html, `What ${channelName(one.channel)} says`) : textFrame(one.text, `What ${channelName(one.channel)} says`),
    one.html && h("details", {}, h("summary", {}, "As text"), h("pre", { class: "plain", tabindex: "0" }, one.text)))));
}

function rules(found) {
  const rows = found.map((one) => row([one.rule, one.about, [one.verdict, "name"], [one.why, "words"],
    [h("span", { class: "mono" }, written(one.inputs)), "words wide"]]));
  return table("Rules", [["Rule"], ["About"], ["Verdict"], ["Why"], ["Asked with", "wide"]], rows);
}
