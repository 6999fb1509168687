// What a person works with: buttons that do a thing once, questions before what cannot be undone, fields, tables,
// and one line that says what happened.

import { h, put } from "./dom.js";

/** Say something to everybody, also to who cannot see it. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

/** Make a button. While its work runs it is busy, and a second click does nothing. */
export function button(words, work, { look = "", id = null } = {}) {
  const made = h("button", { type: "button", id, class: `button ${look}`.trim(), on: { click: () => run(made, work) } }, words);
  return made;
}

/** Do the work of a button, once at a time. `aria-disabled` and not `disabled`: it keeps the keyboard where it is. */
export async function run(made, work) {
  if (made.getAttribute("aria-disabled") === "true") return;
  made.setAttribute("aria-disabled", "true");
  made.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (broken) {
    if (broken.name !== "AbortError") tell(made, broken.line ?? "That did not work.", "bad");
  } finally {
    made.removeAttribute("aria-disabled");
    made.removeAttribute("aria-busy");
  }
}

/** Write what happened into the nearest line for it, and say it. */
export function tell(near, words, kind = "") {
  const line = near.closest?.("[data-tells]")?.querySelector(".told") ?? document.querySelector("main .told");
  if (line) {
    put(line, words);
    line.className = `told ${kind ? `is-${kind}` : ""}`.trim();
  }
  say(words);
  if (document.activeElement === document.body) line?.focus({ preventScroll: true });
}

/** Make the line that `tell` writes into. */
export function told() {
  return h("p", { class: "told", tabindex: "-1" });
}

/** Ask before something is done. Resolves to what was written (an empty text without a field), or null. */
export function question(title, sentences, { yes, field = null }) {
  const input = field && h("input", { type: "text", id: "answer", name: "answer", maxlength: field.longest, autocomplete: "off" });
  const refusal = h("p", { class: "told is-bad", role: "alert" });
  const dialog = h("dialog", { class: "question", "aria-labelledby": "asked" });
  return new Promise((resolve) => {
    const close = (answer) => { resolve(answer); dialog.close(); };
    const accept = (event) => {
      event.preventDefault();
      if (!input || input.value.trim()) return close(input?.value.trim() ?? "");
      put(refusal, field.missing);
      input.focus();
    };
    put(dialog, h("form", { on: { submit: accept } },
      h("h2", { id: "asked" }, title), sentences.map((sentence) => h("p", {}, sentence)),
      input && h("div", { class: "field" }, h("label", { for: "answer" }, field.label), input), refusal,
      h("div", { class: "row" }, button("Leave it", () => close(null)), h("button", { class: "button is-main", type: "submit" }, yes))));
    dialog.addEventListener("close", () => { resolve(null); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
    input?.focus();
  });
}

let fields = 0;

/** Make a field with its label. `make` gets the id. */
export function field(label, make, { hint = "" } = {}) {
  const id = `field-${fields += 1}`;
  return h("div", { class: "field" }, h("label", { for: id }, label), make(id), hint && h("span", { class: "hint" }, hint));
}

/** Make a field for a line of text. */
export function textField(label, name, value = "", more = {}) {
  return field(label, (id) => h("input", { id, name, value, type: "text", autocomplete: "off", spellcheck: "false", ...more }));
}

/** Make a field with a list of choices, `[value, words]` each; an empty value is "any". */
export function choiceField(label, name, value, choices) {
  const options = choices.map(([key, words]) => h("option", { value: key, selected: key === value }, words));
  return field(label, (id) => h("select", { id, name }, options));
}

/** Make a table that may be wider than the screen: then it scrolls by itself, also by the keyboard. */
export function table(caption, heads, rows, { look = "" } = {}) {
  const head = h("tr", {}, heads.map(([words, kind]) => h("th", { scope: "col", class: kind }, words)));
  const body = h("tbody", {}, rows);
  return h("div", { class: "scrolls", role: "region", "aria-label": caption, tabindex: "0" },
    h("table", { class: look }, h("caption", { class: "sr" }, caption), h("thead", {}, head), body));
}

/** Make a row of cells; a cell is a node, a text, or `[content, kind]`. */
export function row(cells, set = {}) {
  return h("tr", set, cells.map((cell) => {
    const [content, kind] = Array.isArray(cell) && cell.length === 2 && typeof cell[1] === "string" ? cell : [cell, null];
    return h("td", { class: kind }, content);
  }));
}

/** Make a titled part of a page. */
export function section(title, ...children) {
  const id = `part-${fields += 1}`;
  return h("section", { class: "part", "aria-labelledby": id }, h("h2", { id }, title), children);
}

/** Show names and values; what is empty is left out. */
export function factsOf(facts) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== 0);
  return h("dl", { class: "facts" }, known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** Read a form into an object, without what is empty. */
export function valuesOf(form) {
  const found = [...new FormData(form)].map(([name, value]) => [name, String(value).trim()]);
  return Object.fromEntries(found.filter(([, value]) => value));
}
