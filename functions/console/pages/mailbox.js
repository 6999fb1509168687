// A message as its recipient would see it: a mail in a mail program, a text or a push on a phone, bubbles in a chat.

import { h } from "./dom.js";
import { minute, moment } from "./format.js";
import { htmlFrame, textFrame } from "./frames.js";
import { factsOf } from "./controls.js";
import { channelName } from "./words.js";

const SEEN_AS = { email: mail, sms: phone, push: lockScreen, whatsapp: chat, telegram: chat };

/** Show a message; `talk` is everything that its recipient got on the channel, the newest first. */
export function asSeen(message, talk) {
  return (SEEN_AS[message.channel] ?? phone)(message, talk);
}

function mail(message) {
  const html = message.html && htmlFrame(message.html, "The mail, as HTML");
  const text = textFrame(message.text, "The mail, as text");
  return h("article", { class: "mailer card", "aria-label": "Mail" },
    h("h2", { class: "subject" }, message.subject || "(no subject)"),
    factsOf([["From", message.from], ["To", message.to], ["Came", moment(message.received_at)]]),
    html ?? text,
    html && h("details", {}, h("summary", {}, "The text beside it"), h("pre", { class: "plain", tabindex: "0" }, message.text)),
    h("details", {}, h("summary", {}, "Headers"), h("dl", { class: "headers" }, Object.entries(message.headers).map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", { class: "mono" }, value))))));
}

function phone(message, talk) {
  return device(`${channelName(message.channel)} · ${message.to}`, message.from, bubbles(talk, message));
}

function chat(message, talk) {
  return device(`${channelName(message.channel)} · ${message.to}`, message.from, bubbles(talk, message), `is-${message.channel}`);
}

function lockScreen(message, talk) {
  const cards = [...talk].map((one) => h("li", { class: "push" },
    h("span", { class: "push-app" }, one.from || "Carillon", h("time", {}, minute(one.received_at))),
    one.subject && h("b", {}, one.subject), h("span", {}, one.text)));
  return device("Push", message.to, h("ul", { class: "screen", tabindex: "0", role: "list", "aria-label": "Notifications on the lock screen" }, cards), "is-push");
}

function bubbles(talk, message) {
  return h("ol", { class: "bubbles", tabindex: "0", role: "list", "aria-label": "Messages, the oldest first" }, [...talk].reverse().map((one) =>
    h("li", { class: one === message ? "bubble is-current" : "bubble" }, one.subject && h("b", {}, one.subject),
      h("span", { class: "bubble-words" }, one.text), h("time", { datetime: one.received_at }, minute(one.received_at)))));
}

function device(title, from, inside, look = "") {
  return h("article", { class: `device ${look}`.trim(), "aria-label": title },
    h("header", { class: "device-head" }, h("b", {}, from || "Carillon"), h("span", {}, title)), inside);
}
