// How the providers feel, and what does not move.

import { row, table } from "./controls.js";
import { breakable, h } from "./dom.js";
import { count, duration, moment, plural } from "./format.js";
import { badge, channelName, word } from "./words.js";

const OUTCOMES = ["accepted", "transient", "throttled", "permanent", "ambiguous"];

/** Show every provider of every channel with its breaker, and what it said in the last quarter of an hour. */
export function providersTable(channels) {
  const rows = channels.flatMap(({ channel, providers }) => providers.map((one) => providerRow(channel, one)));
  if (!rows.length) return h("p", { class: "empty" }, "No provider is known yet: nothing has been sent.");
  const heads = [["Channel"], ["Provider"], ["State"], ["Failures in a row", "number"],
    ...OUTCOMES.map((one) => [word("outcome", one), "number wide"])];
  return table("Providers, and their answers in the last 15 minutes", heads, rows);
}

function providerRow(channel, { provider, state, until, failures, outcomes }) {
  const wait = state === "open" && until ? h("span", { class: "hint" }, ` until ${moment(until)}`) : null;
  return row([channelName(channel), [h("span", { class: "mono" }, provider), "name"], [[badge("breaker", state), wait], "state"],
    [count(failures), "number"], ...OUTCOMES.map((one) => [count(outcomes?.[one] ?? 0), "number wide"])]);
}

/** Show what is owed a step and has not made one. */
export function stuckTable(stuck) {
  if (!stuck.length) return h("p", { class: "empty" }, "Everything that is owed a step has made one in the last two minutes.");
  const rows = stuck.map((one) => row([
    [h("a", { href: `#/notifications/${one.id}` }, breakable(one.event_type)), "name"], [one.user_id, "user"], badge("notification", one.status),
    [duration(one.waiting_seconds), "number"], [one.reason, "words"]]));
  const heads = [["Event type"], ["User"], ["Status"], ["Waits for", "number"], ["Reason"]];
  return table(`${plural(stuck.length, "notification")} without progress`, heads, rows);
}
