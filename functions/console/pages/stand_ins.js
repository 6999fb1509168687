// The switches of each stand-in: how slow it is, how often it refuses, and whether it is there at all.

import { ask, part } from "./api.js";
import { button, choiceField, field, tell, told, valuesOf } from "./controls.js";
import { h } from "./dom.js";
import { may } from "./session.js";
import { badge } from "./words.js";

const OUTAGES = [["", "none"], ["reset", "cuts every connection"], ["banner", "says it is closed"]];
const WELL = { latency_seconds: 0, error_rate: 0, outage: null };

/** Show every stand-in. `again` is called when one was changed. */
export function standIns(providers, again) {
  return h("div", { class: "stand-ins" }, Object.entries(providers).map(([name, switches]) => standIn(name, switches, again)));
}

function standIn(name, switches, again) {
  const isWell = !switches.latency_seconds && !switches.error_rate && !switches.outage;
  const title = h("h3", {}, h("span", { class: "mono" }, name), " ", badge("standIn", isWell ? "well" : switches.outage ? "away" : "unwell"));
  if (!may("manage")) return h("div", { class: "card stand-in" }, title, h("p", { class: "hint" }, inWords(switches)));
  const form = h("form", { class: "card stand-in", "data-tells": "", "aria-label": `Switches of ${name}`, on: { submit: (event) => event.preventDefault() } });
  const turn = async (wanted) => {
    await ask("PUT", `/sandbox/providers/${part(name)}`, { body: wanted });
    await again();
    tell(document.querySelector(".todo"), `${name}: ${inWords(wanted)}.`, "good");
  };
  form.append(title,
    field("Seconds it takes", (id) => numberInput(id, "latency_seconds", switches.latency_seconds, { max: 3600, step: 0.1 })),
    field("Share that it refuses", (id) => numberInput(id, "error_rate", switches.error_rate, { max: 1, step: 0.05 })),
    choiceField("Outage", "outage", switches.outage ?? "", OUTAGES),
    h("div", { class: "row" }, button("Apply", () => turn(readSwitches(form))),
      isWell ? null : button("Make it well", () => turn(WELL))), told());
  return form;
}

function numberInput(id, name, value, set) {
  return h("input", { id, name, type: "number", min: 0, value, inputmode: "decimal", ...set });
}

function readSwitches(form) {
  const found = valuesOf(form);
  return {
    latency_seconds: Number(found.latency_seconds ?? 0), error_rate: Number(found.error_rate ?? 0), outage: found.outage ?? null,
  };
}

function inWords({ latency_seconds: seconds, error_rate: rate, outage }) {
  if (outage) return OUTAGES.find(([name]) => name === outage)?.[1] ?? outage;
  const words = [seconds && `takes ${seconds} s`, rate && `refuses ${Math.round(rate * 100)} %`].filter(Boolean);
  return words.join(", ") || "all is well";
}
