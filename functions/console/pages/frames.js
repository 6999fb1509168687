// Where what a message holds is shown: in a document of its own, without an origin, that can load nothing and go
// nowhere. It takes words by a message and says how high it is; this page reads nothing else of it.

import { h } from "./dom.js";

const LOWEST = 40;
const HIGHEST = 900;
const waiting = new WeakMap();

window.addEventListener("message", ({ source, data }) => {
  const frame = [...document.querySelectorAll("iframe.safe")].find((one) => one.contentWindow === source);
  if (!frame || typeof data !== "object" || data === null) return;
  if (data.ready === true) source.postMessage(waiting.get(frame), "*");
  if (Number.isFinite(data.height)) frame.style.height = `${Math.min(HIGHEST, Math.max(LOWEST, Math.ceil(data.height)))}px`;
});

/** Show HTML that somebody else wrote. `about` names it for who cannot see it. */
export function htmlFrame(html, about) {
  return frameOf({ html: String(html) }, about);
}

/** Show text as it stands. */
export function textFrame(text, about) {
  return frameOf({ text: String(text) }, about);
}

function frameOf(content, about) {
  const frame = h("iframe", {
    class: "safe", src: "/console/frame.html", sandbox: "allow-scripts", title: about, referrerpolicy: "no-referrer",
  });
  waiting.set(frame, content);
  return frame;
}
