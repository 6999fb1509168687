// The sandbox: what recipients would see, and how the stand-ins for the providers feel.

import { ask } from "./api.js";
import { button, choiceField, question, say, section, textField, tell, told } from "./controls.js";
import { h, keep, put } from "./dom.js";
import { moment, plural } from "./format.js";
import { asSeen } from "./mailbox.js";
import { begin, poll } from "./page.js";
import { may, whyNot } from "./session.js";
import { standIns } from "./stand_ins.js";
import { CHANNELS, channelName } from "./words.js";

const SHOWN_AT_ONCE = 50;

export async function show({ signal, query, focus }) {
  const age = h("p", { class: "age" }, "Looking…");
  const body = begin("Sandbox", { beside: age, about: "No message has left this machine: these are stand-ins for the providers." });
  const view = { signal, channel: query.channel ?? "", to: query.to ?? "", messages: [], open: null, shown: SHOWN_AT_ONCE };
  Object.assign(view, { list: h("div", { class: "mails" }), reader: h("div", { class: "reader", "aria-live": "off" }), switches: h("div", {}) });
  view.bar = h("div", { class: "todo", "data-tells": "" });
  put(body, filters(view), view.bar, h("div", { class: "mailbox" }, view.list, view.reader), section("Stand-ins", view.switches));
  put(view.bar, may("manage") ? h("div", { class: "row" }, button("Forget all messages…", () => forgetAll(view), { id: "forget" })) : null,
    whyNot("manage") && h("p", { class: "hint" }, whyNot("manage")), told());
  focus();
  await poll(() => look(view), age, signal);
}

async function look(view) {
  const { signal, channel, to } = view;
  const [messages, providers] = await Promise.all([
    ask("GET", "/sandbox/messages", { query: { channel, to }, signal }), ask("GET", "/sandbox/providers", { signal }),
  ]);
  view.messages = messages;
  draw(view);
  keep(view.switches, providers, () => standIns(providers, () => look(view)));
}

function draw(view) {
  const { messages } = view;
  const isThere = messages.some((one) => nameOf(one) === view.open);
  if (!isThere) view.open = messages.length ? nameOf(messages[0]) : null;
  const names = messages.slice(0, view.shown).map(nameOf);
  keep(view.list, [names, view.open, messages.length], () => listing(view));
  const open = messages.find((one) => nameOf(one) === view.open);
  const talk = open && messages.filter((one) => one.channel === open.channel && one.to === open.to);
  keep(view.reader, [view.open, talk?.length], () => open ? asSeen(open, talk) : h("p", { class: "empty" }, "Nothing has come yet."));
}

function nameOf({ channel, to, message_id: id, received_at: at }) {
  return [channel, to, id, at].join(" ");
}

function filters(view) {
  const choices = [["", "All"], ...CHANNELS.map((one) => [one, channelName(one)])];
  const change = (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    Object.assign(view, { channel: form.get("channel"), to: form.get("to").trim(), shown: SHOWN_AT_ONCE });
    const query = new URLSearchParams([["channel", view.channel], ["to", view.to]].filter(([, value]) => value));
    history.replaceState(null, "", query.size ? `#/sandbox?${query}` : "#/sandbox");
    look(view).then(() => say(`${plural(view.messages.length, "message")}.`), () => {});
  };
  return h("form", { class: "filters", "aria-label": "Filters", role: "search", on: { submit: change, change } },
    choiceField("Channel", "channel", view.channel, choices), textField("To exactly", "to", view.to, { maxlength: 512 }),
    h("div", { class: "row" }, h("button", { class: "button", type: "submit" }, "Show")));
}

function listing(view) {
  const { messages, shown } = view;
  if (!messages.length) return h("p", { class: "empty" }, "No message fits.");
  const choose = (one) => () => { view.open = nameOf(one); draw(view); };
  return [
    h("ul", { "aria-label": plural(messages.length, "message") }, messages.slice(0, shown).map((one) => h("li", {},
      h("button", { type: "button", class: "mail", "aria-current": nameOf(one) === view.open ? "true" : null, on: { click: choose(one) } },
        h("span", { class: "mail-channel" }, channelName(one.channel)), h("span", { class: "mail-when" }, moment(one.received_at)),
        h("span", { class: "mail-to" }, one.to), h("span", { class: "mail-words" }, one.subject || one.text))))),
    messages.length > shown && button(`Show ${Math.min(SHOWN_AT_ONCE, messages.length - shown)} more`, () => { view.shown += SHOWN_AT_ONCE; draw(view); }),
  ];
}

async function forgetAll(view) {
  const answer = await question("Forget all messages?", ["The sandbox forgets every message on every channel. What became of the notifications is kept."], { yes: "Forget them" });
  if (answer === null) return;
  await ask("DELETE", "/sandbox/messages");
  await look(view);
  tell(view.bar, "They are forgotten.", "good");
}
