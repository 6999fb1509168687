// Which view is shown: by the part of the address behind the #. Everything in it can be shared; the key is never there.

import { ask, Refusal } from "./api.js";
import { button, say } from "./controls.js";
import { h, put } from "./dom.js";
import { bell } from "./icons.js";
import { begin, focusHeading, showRefusal } from "./page.js";
import { forget, isKey, keepKey, may, roleOf, session } from "./session.js";
import { restoreTheme, themeSwitch } from "./theme.js";
import * as deadLetter from "./dead_letter.js";
import * as deadLetters from "./dead_letters.js";
import * as find from "./find.js";
import * as notification from "./notification.js";
import * as now from "./now.js";
import * as sandbox from "./sandbox.js";
import * as template from "./template.js";
import * as templates from "./templates.js";

const VIEWS = [
  [/^now$/, now],
  [/^find$/, find],
  [/^notifications\/([^/]+)$/, notification],
  [/^dead-letters$/, deadLetters],
  [/^dead-letters\/([^/]+)$/, deadLetter],
  [/^templates$/, templates],
  [/^templates\/([^/]+)$/, template],
  [/^sandbox$/, sandbox],
];
const PLACES = [["now", "Now"], ["find", "Find"], ["dead-letters", "Dead letters"], ["templates", "Templates"]];
const AT_FIRST = "now";

let shown = new AbortController();
let hasSandbox = false;
let isIn = false;

/** Read the address: the place, its parts, and the query. */
function route() {
  const [place, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { place: place || AT_FIRST, query: Object.fromEntries(new URLSearchParams(query)) };
}

async function show() {
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  const { place, query } = route();
  showBar(place);
  const [found, view] = VIEWS.map(([pattern, one]) => [pattern.exec(place), one]).find(([match]) => match) ?? [];
  if (!found) {
    begin("There is nothing here", { about: "The address behind the # is none of the console's." });
    return focusHeading();
  }
  await view.show({ signal, query, id: found[1] === undefined ? null : decoded(found[1]), focus: focusHeading })
    .catch((broken) => fail(broken, signal));
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function fail(broken, signal) {
  if (signal.aborted || broken.status === 401) return;
  if (!(broken instanceof Refusal)) console.error(broken);
  const body = document.querySelector("main .body") ?? begin("It cannot be shown");
  showRefusal(body, broken);
  say(broken.line ?? "This cannot be shown now.");
}

function showBar(place) {
  const bar = document.getElementById("bar");
  if (!session.me) return put(bar, brand(), h("div", { class: "who" }, themeSwitch()));
  const places = hasSandbox ? [...PLACES, ["sandbox", "Sandbox"]] : PLACES;
  const current = place.startsWith("notifications/") ? "find" : place.split("/")[0];
  const links = places.map(([name, words]) =>
    h("li", {}, h("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null }, words)));
  const { me } = session;
  put(bar, brand(), h("nav", { "aria-label": "Views" }, h("ul", {}, links)),
    h("div", { class: "who" },
      h("span", { class: "me" }, h("b", {}, me.tenant), me.is_open ? "" : ` · ${me.name}`, ` · ${roleOf(me)}`),
      themeSwitch(), me.is_open ? null : button("Sign out", signOut, { look: "is-quiet" })));
}

function brand() {
  return h("a", { class: "brand", href: "#/now" }, bell(), "Carillon");
}

function signOut() {
  forget();
  hasSandbox = false;
  showSignIn("You are signed out.");
}

/** Show where a key is pasted. */
function showSignIn(why = "") {
  shown.abort();
  isIn = false;
  showBar("");
  const body = begin("Sign in");
  const input = h("input", {
    id: "key", name: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "key-about",
  });
  const line = h("p", { class: "told", role: "alert" }, why);
  const enter = async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!isKey(text)) return put(line, "This cannot be a key: paste it as it was shown.");
    keepKey(text);
    put(line, "");
    if (await signIn(line)) input.value = "";
  };
  put(body, h("form", { class: "sign-in card", on: { submit: enter } },
    h("label", { for: "key" }, "API key or token"), input,
    h("p", { class: "hint", id: "key-about" },
      "It stays in this tab until you sign out or close it. A key with the scope read looks; with manage it also replays and publishes."),
    line, h("button", { class: "button is-main", type: "submit" }, "Sign in")));
  input.focus();
  say(why || "Sign in with a key or a token.");
}

/** Ask who the key is. Returns whether somebody is signed in; else says why not in the line. */
async function signIn(line = null) {
  try {
    session.me = await ask("GET", "/auth/me");
  } catch (broken) {
    if (broken.status === 403) forget();
    if (line) put(line, broken.status === 401 ? "Nobody knows this key." : broken.line);
    else showSignIn(broken.status === 401 ? "" : broken.line);
    return false;
  }
  if (!may("read")) {
    session.me = null;
    showSignIn("This key may not look at anything: it needs the scope read.");
    return false;
  }
  isIn = true;
  hasSandbox = await ask("GET", "/sandbox/providers").then(() => true, () => false);
  await show();
  return true;
}

document.addEventListener("signed-out", ({ detail }) => {
  if (isIn) showSignIn(`You were signed out. ${detail.line}`);
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
window.addEventListener("hashchange", () => { if (session.me) show(); });
restoreTheme();
signIn();
