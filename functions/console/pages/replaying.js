// Start dead letters over: one, a selection, or the first five of many, whose end is seen before the rest follows.

import { ask, part, refusalOf } from "./api.js";
import { button, say, tell } from "./controls.js";
import { h, put } from "./dom.js";
import { plural, short } from "./format.js";
import { pause } from "./page.js";
import { badge, ENDED } from "./words.js";

const AT_FIRST = 5;
const MOST = 1000;
const WATCHED_SECONDS = 60;

/** Find the dead letter of a notification; null when it has none. */
export async function letterOf(story, signal) {
  const query = { user_id: story.user_id, event_type: story.event_type, created_after: story.created_at, limit: 100 };
  for (const status of ["open", "discarded", "resolved", "replayed"]) {
    if (status === "open" && !["failed", "unknown"].includes(story.status)) continue;
    if (status !== "open" && !story.epoch && !["failed", "unknown"].includes(story.status)) continue;
    const { dead_letters: found } = await ask("GET", "/dead-letters", { query: { ...query, status }, signal });
    const letter = found.find((one) => one.notification_id === story.id);
    if (letter) return letter;
  }
  return null;
}

/** Make the button that replays one dead letter. */
export function replayButton(letter, again) {
  const made = button("Replay", async () => {
    const place = made.closest("[data-tells]");
    await ask("POST", `/dead-letters/${part(letter.id)}/replay`);
    await again();
    tell(place.isConnected ? place : document.body, "It starts over, as its next life.", "good");
  }, { look: "is-main", id: "replay" });
  return made;
}

/** Replay a selection. Returns what became of each. */
export async function replaySet(body) {
  const { results, left } = await ask("POST", "/dead-letters/replay", { body });
  return { results, left };
}

/** Say in a sentence how a set went. */
export function sentenceOf(results, done) {
  const refused = results.filter(({ problem }) => problem);
  const went = `${plural(results.length - refused.length, "dead letter")} ${done}.`;
  if (!refused.length) return went;
  return `${went} ${plural(refused.length, "was", "were")} not: ${refusalOf(refused[0].problem).message}`;
}

/** Replay the first five that fit, see how they fare, then offer the rest. A filter that ends in time leaves out who fails again. */
export async function firstFive(filter, place, signal, again) {
  const { results, left } = await replaySet({ filter, limit: AT_FIRST });
  if (!results.length) return tell(place, "No open dead letter fits any more.");
  const states = new Map(results.map((one) => [one.notification_id ?? one.id, one]));
  const list = h("ul", { class: "fates" });
  const after = h("div", { class: "row" });
  put(place.querySelector(".first"), h("h3", {}, `The first ${results.length}, from the oldest on`), list, after);
  tell(place, `${sentenceOf(results, "started over")} Watching how they fare…`);
  await watch(states, list, signal);
  const bad = [...states.values()].filter(({ problem, status }) => problem || ["failed", "unknown"].includes(status)).length;
  const words = bad ? `${bad} of ${states.size} did not get through.` : `All ${states.size} got on.`;
  await again();
  tell(place, left ? `${words} ${plural(left, "more is", "more are")} open.` : `${words} There is no other.`, bad ? "bad" : "good");
  if (left) put(after, restButton(filter, left, place, again, bad ? "" : "is-main"));
}

function restButton(filter, left, place, again, look) {
  return button(`Replay the rest (${left})`, async () => {
    const { results, left: still } = await replaySet({ filter, limit: MOST });
    await again();
    tell(place, `${sentenceOf(results, "started over")}${still ? ` ${still} more are open.` : ""}`, "good");
    put(place.querySelector(".first"));
  }, { look, id: "replay-rest" });
}

async function watch(states, list, signal) {
  for (let waited = 0; waited < WATCHED_SECONDS; waited += 1) {
    put(list, [...states.values()].map(fate));
    const moving = [...states.values()].filter(({ problem, status }) => !problem && !ENDED.has(status));
    if (!moving.length) return;
    await pause(1, signal);
    for (const one of moving) {
      const story = await ask("GET", `/api/v1/notifications/${part(one.notification_id)}`, { signal });
      states.set(one.notification_id, { ...one, status: story.status, reason: story.reason });
    }
  }
  say("They are still under way.");
}

function fate({ notification_id: id, problem, status, reason }) {
  if (problem) return h("li", {}, h("span", { class: "badge is-bad" }, refusalOf(problem).line));
  return h("li", {}, h("a", { class: "mono", href: `#/notifications/${id}` }, short(id)), " ", badge("notification", status),
    reason && status !== "sent" ? h("span", { class: "hint" }, ` ${reason}`) : "");
}
