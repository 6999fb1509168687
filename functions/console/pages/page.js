// What a view stands on: a heading that gets the focus, a signal that ends with it, and a poll that knows its manners.

import { say } from "./controls.js";
import { h, put } from "./dom.js";
import { clock, duration } from "./format.js";

/** Begin a view: put its heading and an empty body into the page. Returns the body. */
export function begin(title, { about = null, beside = null } = {}) {
  const main = document.getElementById("main");
  const body = h("div", { class: "body" });
  const heading = h("h1", { tabindex: "-1" }, title);
  put(main, h("div", { class: "title" }, heading, beside), about && h("p", { class: "about" }, about), body);
  document.title = `${title} · Carillon`;
  return body;
}

/** Move the keyboard to the view's heading. */
export function focusHeading() {
  document.querySelector("main h1")?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** Show why a view cannot be shown; where it has results, in their place: what was asked for can then be mended. */
export function showRefusal(body, refusal) {
  put(body.querySelector(".results") ?? body, h("p", { class: "notice is-bad", role: "alert" }, refusal.line ?? "This cannot be shown now."));
}

/** Wait; ends early when the view does. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const end = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal.removeEventListener("abort", end); resolve(); }, seconds * 1000);
    signal.addEventListener("abort", end, { once: true });
  });
}

/** Ask again and again while the page can be seen, and say in `line` how old is what is shown. */
export async function poll(look, line, signal, everySeconds = () => 2) {
  let seen = null;
  let wasAway = false;
  while (!signal.aborted) {
    await visible(signal);
    let wait = everySeconds();
    try {
      await look();
      seen = Date.now();
      put(line, h("span", { class: "live" }, "Live"), ` as of ${clock(seen).slice(0, 8)}`);
      line.className = "age";
      if (wasAway) say("The server answers again.");
      wasAway = false;
    } catch (broken) {
      if (signal.aborted || broken.status === 401) return;
      if (!broken.isPassing) throw broken;
      wait = Math.max(wait, broken.retryAfter ?? 0);
      put(line, stale(broken, seen));
      line.className = "age is-stale";
      if (!wasAway) say("The server does not answer.");
      wasAway = true;
    }
    await pause(wait, signal).catch(() => {});
  }
}

function stale(broken, seen) {
  const age = seen ? `What you see is ${duration((Date.now() - seen) / 1000)} old.` : "Nothing has been seen yet.";
  const why = broken.status === 0 ? "The server does not answer." : `The server is busy (${broken.status}).`;
  return `${why} ${age}`;
}

function visible(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look, { once: true });
  });
}
