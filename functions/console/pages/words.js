// The closed sets of the domain in words, each with the kind of its shape and colour.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const NOTIFICATION = {
  scheduled: ["later", "Scheduled", "It is kept until its time comes."],
  pending: ["busy", "Pending", "It is accepted, and not yet routed."],
  queued: ["busy", "Under way", "At least one channel is at work on it."],
  sent: ["gone", "Sent", "A provider took it. Nobody has said yet that it arrived."],
  delivered: ["good", "Delivered", "The person's device or client said so."],
  compensating: ["back", "Being undone", "What was sent is taken back where that is possible."],
  failed: ["bad", "Failed", "No channel reached anybody. It is kept as a dead letter."],
  cancelled: ["none", "Cancelled", "It was called back."],
  skipped: ["none", "Skipped", "Nobody wanted it."],
  expired: ["later", "Expired", "It was too late to be of use."],
  unknown: ["doubt", "Unknown", "A provider may have it. A person decides."],
};
const DELIVERY = {
  queued: ["busy", "Queued"],
  sending: ["busy", "Sending"],
  sent: ["gone", "Sent"],
  delivered: ["good", "Delivered"],
  read: ["good", "Read"],
  retrying: ["later", "Retrying"],
  deferred: ["later", "Deferred"],
  failed: ["bad", "Failed"],
  cancelled: ["none", "Cancelled"],
  unknown: ["doubt", "Unknown"],
  retracted: ["back", "Taken back"],
};
const OUTCOME = {
  accepted: ["gone", "Accepted"],
  permanent: ["bad", "Refused for good"],
  transient: ["later", "Failed for now"],
  throttled: ["later", "Told to wait"],
  ambiguous: ["doubt", "Nobody knows"],
};
const LETTER = {
  open: ["bad", "Open"],
  replayed: ["back", "Replayed"],
  resolved: ["good", "Resolved"],
  discarded: ["none", "Discarded"],
};
const BREAKER = {
  closed: ["good", "Well"],
  open: ["bad", "Resting"],
  half_open: ["doubt", "Being tried"],
};
const VERDICT = {
  send: ["gone", "It would be sent"],
  hold: ["later", "It would wait"],
  skip: ["none", "Nobody would get it"],
  nothing: ["none", "Nothing would happen"],
};
const STEP = {
  first: ["gone", "First"],
  fallback: ["later", "If that fails"],
  passed: ["none", "Passed over"],
};
const VERSION = {
  published: ["good", "Published"],
};
const STAND_IN = {
  well: ["good", "Well"],
  unwell: ["doubt", "Not itself"],
  away: ["bad", "Away"],
};
const SETS = { notification: NOTIFICATION, delivery: DELIVERY, outcome: OUTCOME, letter: LETTER, breaker: BREAKER };
Object.assign(SETS, { verdict: VERDICT, step: STEP, version: VERSION, standIn: STAND_IN });

export const STATUSES = Object.keys(NOTIFICATION);
export const LETTER_STATUSES = Object.keys(LETTER);
export const CHANNELS = ["email", "whatsapp", "sms", "push", "telegram", "websocket"];
export const ENDED = new Set(["sent", "delivered", "failed", "cancelled", "skipped", "expired", "unknown"]);
export const CANCELLABLE = new Set(["scheduled", "pending", "queued", "sent"]);

const CHANNEL_NAMES = {
  email: "E-mail",
  whatsapp: "WhatsApp",
  sms: "SMS",
  push: "Push",
  telegram: "Telegram",
  websocket: "WebSocket",
};

/** Tell whether a reader of a channel sees a subject. */
export function hasSubject(channel) {
  return !["sms", "whatsapp"].includes(channel);
}

/** Name a channel; one that is not known by its own word. */
export function channelName(channel) {
  return own(CHANNEL_NAMES, channel) ?? String(channel);
}

/** Say a status in a word. */
export function word(set, status) {
  return own(SETS[set], status)?.[1] ?? String(status);
}

/** Say what a notification's status means. */
export function meaning(status) {
  return own(NOTIFICATION, status)?.[2] ?? "";
}

/** Name the kind of a status: its shape and colour. */
export function kindOf(set, status) {
  return own(SETS[set], status)?.[0] ?? "note";
}

/** Show a status: a shape, a colour and a word. */
export function badge(set, status, prefix = "") {
  const kind = kindOf(set, status);
  return h("span", { class: `badge is-${kind}` }, icon(kind), prefix ? `${prefix}: ` : "", word(set, status));
}

const LINES = {
  accepted: ["note", "Accepted"],
  collected: ["later", "Collected for a digest"],
  gathered: ["note", "The digest closed"],
  routed: ["note", "Routed"],
  provider_chosen: ["note", "Another provider chosen"],
  attempt: ["note", "Attempt"],
  sent: ["gone", "Sent"],
  delivered: ["good", "Delivered"],
  read: ["good", "Read"],
  retrying: ["later", "Will be tried again"],
  deferred: ["later", "Deferred"],
  channel_failed: ["bad", "The channel failed"],
  withheld: ["none", "Withheld"],
  ambiguous: ["doubt", "Nobody knows"],
  falling_back: ["note", "Falling back"],
  giving_up: ["bad", "Giving up"],
  skipped: ["none", "Skipped"],
  expired: ["later", "Expired"],
  unknown: ["doubt", "Unknown"],
  compensated: ["back", "Taken back"],
  not_undone: ["none", "Could not be undone"],
  failed: ["bad", "Failed"],
  replayed: ["back", "Replayed"],
  cancelling: ["back", "Being called back"],
  cancelled: ["none", "Cancelled"],
};

/** Say what a line of the timeline tells, as [kind, words]; what is new here is shown by its own word. */
export function lineWords({ what, detail }) {
  const [kind, words] = own(LINES, what) ?? ["note", String(what).replaceAll("_", " ")];
  if (what !== "attempt") return [kind, words];
  const outcome = detail?.outcome;
  return [kindOf("outcome", outcome), `Attempt ${detail?.attempt ?? ""}: ${word("outcome", outcome)}`];
}

function own(table, name) {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
