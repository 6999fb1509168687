// One template: its versions, which one is published, and what each channel would get of it.

import { ask, part } from "./api.js";
import { button, choiceField, field, question, row, section, table, tell, textField, told, valuesOf } from "./controls.js";
import { h, put } from "./dom.js";
import { moment } from "./format.js";
import { begin } from "./page.js";
import { previews } from "./previews.js";
import { may, whyNot } from "./session.js";
import { badge } from "./words.js";

export async function show({ signal, id: name, query, focus }) {
  const body = begin(`Template ${name}`, { beside: h("a", { href: "#/templates" }, "All templates") });
  const view = { name, signal, version: Number(query.version) || null, older: null };
  Object.assign(view, { box: h("div", { class: "todo", "data-tells": "" }), versions: h("div", {}), preview: h("div", { class: "previews", "aria-live": "polite" }) });
  put(view.box, whyNot("manage") && h("p", { class: "hint" }, whyNot("manage")), told());
  put(body, view.box, section("Versions", view.versions), section("What each channel would get", h("div", { class: "tryout" }), view.preview));
  focus();
  await draw(view);
  put(body.querySelector(".tryout"), await form(view));
  await preview(view, body.querySelector("form"));
}

async function draw(view) {
  const api = `/templates/${part(view.name)}`;
  const page = await ask("GET", `${api}/versions`, { signal: view.signal });
  view.known = page.versions;
  view.version ??= (page.versions.find((one) => one.is_published) ?? page.versions[0]).version;
  put(view.versions, versionTable(view), page.next_cursor && h("p", { class: "hint" }, "Older versions are at the API."));
}

function versionTable(view) {
  const published = view.known.find((one) => one.is_published)?.version ?? null;
  const rows = view.known.map((one) => row([
    [h("a", { href: `#/templates/${encodeURIComponent(view.name)}?version=${one.version}`, "aria-current": one.version === view.version ? "true" : null }, `Version ${one.version}`), "name"],
    [one.is_published ? badge("version", "published") : "", "state"], [one.made_by, "mono name wide"], [moment(one.created_at), "when"],
    [one.is_published || !may("manage") ? "" : publishButton(view, one.version, published), "does"]]));
  const heads = [["Version"], ["State"], ["Made by", "wide"], ["When"], [h("span", { class: "sr" }, "What can be done"), "does"]];
  return table("Versions, the newest first", heads, rows);
}

function publishButton(view, version, published) {
  const isBack = published !== null && version < published;
  const words = isBack ? `Roll back to ${version}` : `Publish ${version}`;
  return button(words, async () => {
    const sentences = [`New notifications get version ${version}.`, "Those that have begun keep the words that they were routed with."];
    const answer = await question(`${words}?`, sentences, { yes: words });
    if (answer === null) return;
    await ask("POST", `/templates/${part(view.name)}/publish`, { body: { version } });
    await draw(view);
    tell(view.box, `Version ${version} is published.`, "good");
  }, { id: `publish-${version}` });
}

async function form(view) {
  const found = await ask("GET", `/templates/${part(view.name)}/versions/${view.version}`, { signal: view.signal });
  const languages = [...new Set(found.contents.map(({ language }) => language))].sort();
  const example = JSON.stringify(exampleOf(found.variables), null, 2);
  const again = (event) => { event.preventDefault(); preview(view, event.currentTarget).catch((broken) => tell(event.target, broken.line ?? "That did not work.", "bad")); };
  const versions = view.known.map(({ version }) => [String(version), `Version ${version}`]);
  return h("form", { class: "filters", "data-tells": "", "aria-label": "What to try it with", on: { submit: again } },
    choiceField("Version", "version", String(view.version), versions),
    textField("Language of the reader", "locale", found.default_language, { maxlength: 35 }),
    h("p", { class: "hint wide-field" }, `There is: ${languages.join(", ")}.`),
    field("Variables, as JSON", (id) => h("textarea", { id, name: "variables", rows: Math.min(12, example.split("\n").length + 1), spellcheck: "false", class: "mono" }, example)),
    h("div", { class: "row" }, h("button", { class: "button is-main", type: "submit" }, "Write it")), told());
}

const GIVEN = new Set(["event_type", "title"]); // by the platform itself, as user_name is

/** Write examples for variables that are needed: "order.total" as an object, each with its own name in it. */
export function exampleOf({ required, conditional }) {
  const found = Object.create(null);
  for (const path of [...required, ...conditional]) {
    const steps = path.replace(/\[[^\]]*\]/g, "").split(".");
    if (steps[0].startsWith("user_") || GIVEN.has(steps[0])) continue;
    let place = found;
    for (const step of steps.slice(0, -1)) place = typeof place[step] === "object" ? place[step] : (place[step] = Object.create(null));
    place[steps.at(-1)] ??= steps.at(-1);
  }
  return found;
}

async function preview(view, form) {
  const { version, locale, variables } = valuesOf(form);
  let read = {};
  try {
    read = JSON.parse(variables ?? "{}");
  } catch {
    return tell(form, "The variables are no JSON.", "bad");
  }
  const body = { version: Number(version), locale, variables: read };
  const answer = await ask("POST", `/templates/${part(view.name)}/preview`, { body, signal: view.signal });
  put(view.preview, previews(answer));
  const missing = answer.missing.length;
  tell(form, missing ? `Missing: ${answer.missing.join(", ")}.` : `This is version ${answer.version}.`, missing ? "bad" : "");
}
