// What happens now: how much is under way, how the minutes went, how the providers feel, and what does not move.

import { ask } from "./api.js";
import { bars } from "./charts.js";
import { choiceField, section, table } from "./controls.js";
import { h, keep, put } from "./dom.js";
import { count, duration, minute, plural } from "./format.js";
import { providersTable, stuckTable } from "./now_tables.js";
import { begin, poll } from "./page.js";
import { channelName, word } from "./words.js";

const ALL = "";
const MOST_COUNTED = 50000;
const MEASURES = [
  ["accepted", "Accepted", "note"],
  ["sent", "Sent", "gone"],
  ["delivered", "Delivered", "good"],
  ["failed", "Failed", "bad"],
];

export async function show({ signal, query, focus }) {
  const age = h("p", { class: "age" }, "Looking…");
  const body = begin("Now", { beside: age });
  const parts = {
    tiles: h("div", { class: "tiles" }),
    channel: h("div", { class: "row chooser" }),
    charts: h("div", { class: "charts" }),
    numbers: h("div", {}),
    providers: h("div", {}),
    stuck: h("div", {}),
  };
  const view = { channel: query.channel ?? ALL, overview: null };
  put(body, parts.tiles,
    section("The last half hour", parts.channel, parts.charts,
      h("details", {}, h("summary", {}, "The same as a table"), parts.numbers)),
    section("Providers", parts.providers), section("What does not move", parts.stuck));
  focus();
  const draw = () => drawAll(view, parts, draw);
  await poll(async () => {
    view.overview = await ask("GET", "/overview", { signal });
    draw();
  }, age, signal);
}

function drawAll(view, parts, again) {
  const { overview } = view;
  keep(parts.tiles, tilesOf(overview), () => tilesOf(overview).map(tile));
  const channels = [...new Set(overview.minutes.flatMap((one) => Object.keys(one.channels)))].sort();
  if (view.channel && !channels.includes(view.channel)) channels.push(view.channel);
  keep(parts.channel, channels, () => chooser(view, channels, again));
  const series = seriesOf(overview.minutes, view.channel);
  const note = view.channel ? " · all channels" : "";
  keep(parts.charts, [series, view.channel], () =>
    MEASURES.map(([name, title, kind]) => bars(title, series[name], kind, name === "accepted" ? note : "")));
  keep(parts.numbers, [series, view.channel], () => numbersTable(series, view.channel));
  keep(parts.providers, overview.channels, () => providersTable(overview.channels));
  keep(parts.stuck, overview.stuck, () => stuckTable(overview.stuck));
}

function tilesOf({ in_flight: flight, oldest, dead_letters: letters, stuck }) {
  const waiting = flight.by_status.pending ?? 0;
  const parts = Object.entries(flight.by_status).filter(([, number]) => number)
    .map(([status, number]) => `${count(number)} ${word("notification", status).toLowerCase()}`);
  return [
    { name: "In flight", value: `${count(flight.total)}${flight.total >= MOST_COUNTED ? "+" : ""}`, about: parts.join(" · ") || "nothing is under way", href: null },
    {
      name: "Backlog", value: count(waiting), href: waiting ? "#/find?status=pending" : null,
      about: waiting ? "accepted and not yet routed" : "everything is routed",
    },
    {
      name: "Oldest", value: oldest ? duration(oldest.age_seconds) : "–",
      about: oldest ? `${word("notification", oldest.status).toLowerCase()}: look at it` : "nothing waits",
      href: oldest && `#/notifications/${oldest.id}`, kind: stuck.length ? "warn" : "",
    },
    {
      name: "Dead letters", value: count(letters.open), href: "#/dead-letters",
      about: letters.open ? "open: they need a person" : "none is open", kind: letters.open ? "bad" : "",
    },
  ];
}

function tile({ name, value, about, href, kind = "" }) {
  const inside = [h("span", { class: "tile-name" }, name), h("span", { class: "tile-value" }, value),
    h("span", { class: "tile-about" }, about)];
  const look = `tile ${kind && `is-${kind}`}`.trim();
  return href ? h("a", { class: look, href }, inside) : h("div", { class: look }, inside);
}

function chooser(view, channels, again) {
  const choices = [[ALL, "All channels"], ...channels.map((channel) => [channel, channelName(channel)])];
  const made = choiceField("Channel", "channel", view.channel, choices);
  made.querySelector("select").addEventListener("change", ({ target }) => {
    view.channel = target.value;
    const hash = target.value ? `#/now?channel=${encodeURIComponent(target.value)}` : "#/now";
    history.replaceState(null, "", hash);
    again();
  });
  return made;
}

/** Read the minutes as one series for each measure; `failed` of all channels are whole notifications. */
export function seriesOf(minutes, channel) {
  const of = (pick) => minutes.map((one) => ({ at: one.at, value: pick(one) ?? 0 }));
  const sum = (name) => (one) => Object.values(one.channels).reduce((total, numbers) => total + (numbers[name] ?? 0), 0);
  const from = (name) => (channel ? (one) => one.channels[channel]?.[name] : sum(name));
  return {
    accepted: of((one) => one.accepted),
    sent: of(from("sent")),
    delivered: of(from("delivered")),
    failed: of(channel ? from("failed") : (one) => one.failed),
  };
}

function numbersTable(series, channel) {
  const rows = series.accepted.map(({ at }, place) => h("tr", {}, h("th", { scope: "row" }, minute(at)),
    MEASURES.map(([name]) => h("td", { class: "number" }, count(series[name][place].value)))));
  const heads = [["Minute", null], ...MEASURES.map(([, title]) => [title, "number"])];
  const about = channel ? `by ${channelName(channel)}` : "on all channels";
  return table(`${plural(rows.length, "minute")} ${about}`, heads, rows.reverse());
}
