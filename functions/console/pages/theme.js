// Light, dark, or as the system has it. Which one is remembered; it is the only thing that is.

import { h } from "./dom.js";

const PLACE = "carillon.theme";
const THEMES = ["system", "light", "dark"];

function chosen() {
  const kept = localStorage.getItem(PLACE);
  return THEMES.includes(kept) ? kept : "system";
}

function apply(theme) {
  if (theme === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
}

/** Make the page look as it was chosen. */
export function restoreTheme() {
  apply(chosen());
}

/** Make the switch. */
export function themeSwitch() {
  const options = THEMES.map((theme) => h("option", { value: theme, selected: theme === chosen() }, theme));
  const turn = ({ target }) => {
    localStorage.setItem(PLACE, target.value);
    apply(target.value);
  };
  return h("label", { class: "theme" }, h("span", {}, "Theme"), h("select", { on: { change: turn } }, options));
}
