// Find what became of notifications. The filters stand in the address, so that what was found can be shown to others.

import { ask } from "./api.js";
import { choiceField, field, row, say, table, textField, valuesOf } from "./controls.js";
import { breakable, h, put } from "./dom.js";
import { moment, plural, toInstant, toLocal } from "./format.js";
import { begin } from "./page.js";
import { badge, CHANNELS, channelName, kindOf, STATUSES, word } from "./words.js";
import { icon } from "./icons.js";

const FILTERS = ["user_id", "status", "channel", "event_type", "correlation_id", "created_after", "created_before"];
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export async function show({ signal, query, focus }) {
  const body = begin("Find", { about: "What became of a notification, by whatever is known of it." });
  const results = h("div", { class: "results" }, h("p", { class: "empty" }, "Looking…"));
  put(body, jump(), form(query), results);
  focus();
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query[name] ?? ""]));
  const page = await ask("GET", "/api/v1/notifications", { query: { ...filters, cursor: query.cursor }, signal });
  put(results, resultsOf(page, filters, query.cursor));
  say(`${plural(page.notifications.length, "notification")} on this page.`);
}

function jump() {
  const line = h("p", { class: "told is-bad", role: "alert" });
  const go = (event) => {
    event.preventDefault();
    const id = valuesOf(event.target).id ?? "";
    if (!ID.test(id)) return put(line, "This is no notification's id: it has 36 characters.");
    location.hash = `#/notifications/${id.toLowerCase()}`;
  };
  return h("form", { class: "filters jump", on: { submit: go }, "aria-label": "Go to a notification" },
    textField("Notification id", "id", "", { placeholder: "Paste it to go there", maxlength: 64, class: "mono" }),
    h("button", { class: "button", type: "submit" }, "Go"), line);
}

function form(query) {
  const look = (event) => {
    event.preventDefault();
    const values = valuesOf(event.target);
    for (const name of ["created_after", "created_before"]) values[name] = toInstant(values[name]);
    const next = address(values);
    if (next === location.hash) window.dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = next;
  };
  const any = [["", "Any"]];
  const statuses = STATUSES.map((status) => [status, word("notification", status)]);
  const channels = CHANNELS.map((channel) => [channel, channelName(channel)]);
  return h("form", { class: "filters", on: { submit: look }, "aria-label": "Filters", role: "search" },
    textField("User", "user_id", query.user_id, { maxlength: 256 }),
    choiceField("Status", "status", query.status ?? "", [...any, ...statuses]),
    choiceField("Channel", "channel", query.channel ?? "", [...any, ...channels]),
    textField("Event type", "event_type", query.event_type, { maxlength: 256 }),
    textField("Correlation id", "correlation_id", query.correlation_id, { maxlength: 256 }),
    timeField("From", "created_after", query.created_after),
    timeField("To", "created_before", query.created_before),
    h("div", { class: "row" }, h("button", { class: "button is-main", type: "submit" }, "Find"),
      h("a", { class: "button is-quiet", href: "#/find" }, "Clear")));
}

function timeField(label, name, value) {
  return field(label, (id) => h("input", { id, name, type: "datetime-local", value: toLocal(value) }));
}

/** Write the view's address with these filters. */
export function address(values) {
  const kept = Object.entries(values).filter(([, value]) => value);
  return kept.length ? `#/find?${new URLSearchParams(kept)}` : "#/find";
}

function resultsOf({ notifications, next_cursor: next }, filters, cursor) {
  const older = next && h("a", { class: "button", href: address({ ...filters, cursor: next }) }, "Older");
  const newest = cursor && h("a", { class: "button is-quiet", href: address(filters) }, "Back to the newest");
  const ways = (older || newest) && h("nav", { class: "row", "aria-label": "Pages" }, newest, older);
  if (notifications.length) return [listing(notifications), ways];
  const words = next ? "None in this stretch of time. There may be some further back." : emptyWords(filters, cursor);
  return [h("p", { class: "empty" }, words), ways];
}

function emptyWords(filters, cursor) {
  if (cursor) return "There is nothing older.";
  return Object.values(filters).some(Boolean) ? "Nothing fits these filters." : "Nothing has been posted yet.";
}

function listing(notifications) {
  const heads = [["Accepted"], ["Event type"], ["User"], ["Status"], ["Channels"], ["Reason"], ["Correlation id", "wide"]];
  return table("Notifications, the newest first", heads, notifications.map(line));
}

function line(one) {
  return row([
    [h("time", { datetime: one.created_at }, moment(one.created_at)), "when"],
    [h("a", { href: `#/notifications/${one.id}` }, breakable(one.event_type)), "name"],
    [one.user_id, "user"], [badge("notification", one.status), "state"],
    [one.deliveries.map(channelMark), "marks"], [one.reason, "words"], [one.correlation_id ?? "", "mono wide name"]]);
}

function channelMark({ channel, status }) {
  const words = `${channelName(channel)}: ${word("delivery", status)}`;
  return h("span", { class: `mark is-${kindOf("delivery", status)}`, title: words }, icon(kindOf("delivery", status)),
    channelName(channel), h("span", { class: "sr" }, `: ${word("delivery", status)} `));
}
