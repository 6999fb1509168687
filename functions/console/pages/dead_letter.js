// One dead letter: why it is here, its bytes, and what a person can do about it.

import { ask, part } from "./api.js";
import { asHex, asText, fromBase64 } from "./bytes.js";
import { button, factsOf, question, section, tell, told } from "./controls.js";
import { h, put } from "./dom.js";
import { moment } from "./format.js";
import { dryRun } from "./dry_run.js";
import { begin } from "./page.js";
import { replayButton } from "./replaying.js";
import { may, whyNot } from "./session.js";
import { badge, channelName } from "./words.js";

export const DISCARD_FIELD = { label: "Reason", missing: "Say why: it is kept with the dead letter.", longest: 200 };

export async function show({ signal, id, focus }) {
  const body = begin("Dead letter", { beside: h("a", { href: "#/dead-letters" }, "All dead letters") });
  put(body, h("p", { class: "empty" }, "Looking…"));
  focus();
  await draw(id, body, signal);
}

async function draw(id, body, signal) {
  const letter = await ask("GET", `/dead-letters/${part(id)}`, { signal });
  const tried = h("div", { class: "tried" });
  const again = () => draw(id, body, signal);
  put(body, head(letter), actions(letter, tried, again, signal), tried, letter.body_base64 && bytes(letter.body_base64));
}

function head(letter) {
  const facts = [
    ["Notification", letter.notification_id && h("a", { class: "mono", href: `#/notifications/${letter.notification_id}` }, letter.notification_id)],
    ["User", letter.user_id],
    ["Event type", letter.event_type],
    ["Channels", (letter.channels ?? []).map(channelName).join(", ")],
    ["Kind", letter.kind],
    ["Where", letter.step],
    ["Since", moment(letter.created_at)],
    ["Life", letter.epoch ? letter.epoch + 1 : null],
    ["Settled", letter.settled_at && moment(letter.settled_at)],
    ["By", letter.settled_by && h("span", { class: "mono" }, letter.settled_by)],
    ["Because", letter.settled_reason],
    ["Id", h("span", { class: "mono" }, letter.id)],
  ];
  return h("div", { class: "card head" }, h("p", { class: "standing" }, badge("letter", letter.status)),
    h("p", { class: "reason" }, letter.reason), factsOf(facts));
}

function actions(letter, tried, again, signal) {
  const box = h("div", { class: "todo", "data-tells": "" });
  if (letter.status !== "open") return put(box, told());
  const hasSaga = Boolean(letter.notification_id);
  const tries = hasSaga && button("Dry run", async () => {
    put(tried, section("What a replay would do", dryRun(await ask("POST", `/dead-letters/${part(letter.id)}/dry-run`, { signal }))));
    tell(box, "Nothing was sent: below is what would be.");
  }, { id: "dry-run" });
  const replay = hasSaga && may("manage") && replayButton(letter, again);
  const discard = may("manage") && button("Discard…", () => discardOne(letter, again), { id: "discard" });
  const missing = whyNot("manage");
  const nothing = !hasSaga && h("p", { class: "hint" }, "It holds no notification, so it cannot be replayed.");
  return put(box, h("div", { class: "row" }, tries, replay, discard), nothing, missing && h("p", { class: "hint" }, missing), told());
}

async function discardOne(letter, again) {
  const reason = await question("Discard this dead letter?", ["It is settled without being sent. It can still be read."],
    { yes: "Discard", field: DISCARD_FIELD });
  if (reason === null) return;
  await ask("POST", `/dead-letters/${part(letter.id)}/discard`, { body: { reason } });
  await again();
  tell(document.querySelector(".todo"), "It is discarded.", "good");
}

function bytes(base64) {
  const found = fromBase64(base64);
  if (!found) return section("What came", h("p", { class: "empty" }, "It cannot be shown."));
  return section(`What came, ${found.length} bytes`,
    h("div", { class: "bytes" },
      h("figure", {}, h("figcaption", {}, "As text"), h("pre", { class: "plain", tabindex: "0" }, asText(found))),
      h("figure", {}, h("figcaption", {}, "As bytes"), h("pre", { class: "plain mono", tabindex: "0" }, asHex(found)))));
}
