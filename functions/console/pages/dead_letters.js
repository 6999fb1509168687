// What needs a person: find it, look at what a replay would do, replay or discard it, one by one or many at once.

import { ask } from "./api.js";
import { button, choiceField, field, question, row, table, tell, textField, told, valuesOf } from "./controls.js";
import { DISCARD_FIELD } from "./dead_letter.js";
import { breakable, h, put } from "./dom.js";
import { dryRun } from "./dry_run.js";
import { moment, plural, short, toInstant, toLocal } from "./format.js";
import { begin } from "./page.js";
import { firstFive, replaySet, sentenceOf } from "./replaying.js";
import { may, whyNot } from "./session.js";
import { badge, CHANNELS, channelName, LETTER_STATUSES, word } from "./words.js";

const FILTERS = ["kind", "channel", "event_type", "user_id", "reason", "created_after", "created_before"];
const KINDS = [["", "Any"], ["notification", "A notification"], ["unknown", "Nobody knows whether it was sent"], ["garbage", "Garbage"], ["internal", "A failure of ours"]];
const MOST_TRIED = 100;
const MOST_SETTLED = 1000;

export async function show({ signal, query, focus }) {
  const body = begin("Dead letters", { about: "What could not be brought to its end, and needs a person." });
  const view = { signal, status: query.status ?? "open", filter: filterOf(query), letters: [], next: null, picked: new Set() };
  view.list = h("div", { class: "results" }, h("p", { class: "empty" }, "Looking…"));
  view.box = h("div", { class: "todo", "data-tells": "" });
  view.again = () => reload(view);
  put(body, form(query), view.box, view.list);
  put(view.box, h("div", { class: "row", role: "toolbar", "aria-label": "For the selection" }), told(), h("div", { class: "first" }), h("div", { class: "tried" }));
  focus();
  await view.again();
}

function filterOf(query) {
  return Object.fromEntries(FILTERS.filter((name) => query[name]).map((name) => [name, query[name]]));
}

function form(query) {
  const look = (event) => {
    event.preventDefault();
    const values = valuesOf(event.target);
    for (const name of ["created_after", "created_before"]) values[name] = toInstant(values[name]);
    const next = `#/dead-letters?${new URLSearchParams(Object.entries(values).filter(([, value]) => value))}`;
    if (next === location.hash) window.dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = next;
  };
  const time = (label, name) => field(label, (id) => h("input", { id, name, type: "datetime-local", value: toLocal(query[name]) }));
  return h("form", { class: "filters", role: "search", "aria-label": "Filters", on: { submit: look } },
    choiceField("Status", "status", query.status ?? "open", LETTER_STATUSES.map((one) => [one, word("letter", one)])),
    choiceField("Kind", "kind", query.kind ?? "", KINDS),
    choiceField("Channel", "channel", query.channel ?? "", [["", "Any"], ...CHANNELS.map((one) => [one, channelName(one)])]),
    textField("Event type", "event_type", query.event_type, { maxlength: 256 }),
    textField("User", "user_id", query.user_id, { maxlength: 256 }),
    textField("Reason holds", "reason", query.reason, { maxlength: 256 }),
    time("From", "created_after"), time("To", "created_before"),
    h("div", { class: "row" }, h("button", { class: "button is-main", type: "submit" }, "Find"),
      h("a", { class: "button is-quiet", href: "#/dead-letters" }, "Clear")));
}

async function reload(view) {
  view.letters = [];
  view.next = null;
  view.picked.clear();
  await more(view);
}

async function more(view) {
  const query = { ...view.filter, status: view.status, cursor: view.next };
  const page = await ask("GET", "/dead-letters", { query, signal: view.signal });
  view.letters.push(...page.dead_letters);
  view.next = page.next_cursor ?? null;
  draw(view);
}

function draw(view) {
  const { letters, next } = view;
  put(view.list, letters.length ? listing(view) : h("p", { class: "empty" }, next ? "None in this stretch of time." : "There is none like that."),
    next && h("div", { class: "row" }, button("Show older ones", () => more(view), { id: "older" })));
  drawBar(view);
}

function listing(view) {
  const picks = view.status === "open";
  const all = picks && h("input", { type: "checkbox", id: "pick-all", "aria-label": "Select all that are shown", on: { change: ({ target }) => pickAll(view, target.checked) } });
  const heads = [...(picks ? [[all, "pick"]] : []), ["Since"], ["Event type"], ["User"], ["Channels", "wide"], ["Reason"], ["Where", "wide"], [picks ? "Kind" : "Settled", "wide"]];
  return table("Dead letters, the newest first", heads, view.letters.map((one) => line(view, one, picks)));
}

function line(view, letter, picks) {
  const name = letter.event_type ?? letter.kind;
  const pick = picks && h("input", {
    type: "checkbox", class: "pick", value: letter.id, "aria-label": `Select ${name} for ${letter.user_id ?? "nobody"}, ${short(letter.id)}`,
    checked: view.picked.has(letter.id), on: { change: ({ target }) => pickOne(view, letter.id, target.checked) },
  });
  const settled = letter.settled_at && [badge("letter", letter.status), ` by ${letter.settled_by ?? "nobody known"}, ${moment(letter.settled_at)}`];
  return row([...(picks ? [[pick, "pick"]] : []),
    [h("time", { datetime: letter.created_at }, moment(letter.created_at)), "when"],
    [h("a", { href: `#/dead-letters/${letter.id}` }, breakable(name)), "name"], [letter.user_id ?? "–", "user"],
    [(letter.channels ?? []).map(channelName).join(", "), "wide"], [letter.reason, "words"], [letter.step, "wide"],
    [picks ? letter.kind : [settled], "wide"]]);
}

function pickOne(view, id, isPicked) {
  if (isPicked) view.picked.add(id);
  else view.picked.delete(id);
  drawBar(view);
}

function pickAll(view, isPicked) {
  for (const { id } of view.letters) pickOne(view, id, isPicked);
  for (const box of view.list.querySelectorAll("input.pick")) box.checked = isPicked;
}

function drawBar(view) {
  const bar = view.box.querySelector(".row");
  if (view.status !== "open") return put(bar);
  const number = Math.min(view.picked.size, MOST_SETTLED);
  const some = number > 0 && [
    h("span", { class: "picked" }, `${number} selected`), button("Dry run", () => tryThem(view), { id: "dry-run-selected" }),
    may("manage") && button(`Replay ${number}`, () => replayThem(view), { look: "is-main", id: "replay-selected" }),
    may("manage") && button("Discard…", () => discardThem(view), { id: "discard-selected" }),
  ];
  const all = may("manage") && view.letters.length > 0 && !number
    && button("Replay the first 5, then the rest", () => firstFive(asSeen(view), view.box, view.signal, view.again), { id: "first-five" });
  put(bar, some, all, whyNot("manage") && h("p", { class: "hint" }, whyNot("manage")));
}

/** Narrow the filter to what was there when the list was read. */
function asSeen({ filter, letters }) {
  const seen = new Date(Date.parse(letters[0].created_at) + 1).toISOString();
  const before = filter.created_before;
  return { ...filter, created_before: before && Date.parse(before) < Date.parse(seen) ? before : seen };
}

async function tryThem(view) {
  const ids = [...view.picked].slice(0, MOST_TRIED);
  const { results } = await ask("POST", "/dead-letters/dry-run", { body: { ids }, signal: view.signal });
  put(view.box.querySelector(".tried"), h("h2", {}, "What a replay would do"), results.map((one) =>
    h("details", { open: results.length === 1 }, h("summary", {}, titleOf(view, one)), dryRun(one))));
  tell(view.box, `Nothing was sent: below is what would become of ${plural(results.length, "dead letter")}.`);
}

function titleOf(view, { id, verdict, problem }) {
  const letter = view.letters.find((one) => one.id === id);
  const verdictBadge = problem ? h("span", { class: "badge is-bad" }, "It cannot be tried") : badge("verdict", verdict);
  return [verdictBadge, ` ${letter?.event_type ?? ""} for ${letter?.user_id ?? "nobody"} `, h("span", { class: "mono hint" }, short(id))];
}

async function replayThem(view) {
  const { results } = await replaySet({ ids: [...view.picked].slice(0, MOST_SETTLED) });
  await view.again();
  tell(view.box, sentenceOf(results, "started over"), results.some(({ problem }) => problem) ? "bad" : "good");
}

async function discardThem(view) {
  const ids = [...view.picked].slice(0, MOST_SETTLED);
  const reason = await question(`Discard ${plural(ids.length, "dead letter")}?`, ["They are settled without being sent. They can still be read."],
    { yes: "Discard", field: DISCARD_FIELD });
  if (reason === null) return;
  const { results } = await ask("POST", "/dead-letters/discard", { body: { ids, reason } });
  await view.again();
  tell(view.box, sentenceOf(results, "discarded"), results.some(({ problem }) => problem) ? "bad" : "good");
}
