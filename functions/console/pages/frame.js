"use strict";
// This document has no origin (its policy and its frame both say `sandbox`), so nothing here reaches the page around it.
// Its policy lets no script run but this file, loads no picture from elsewhere, and sends no form. What is left to do is
// to take away what would navigate or look something up: addresses, and elements that act by themselves.
(() => {
  const PAGE = location.origin; // of the address; this document's own origin is "null"
  const TAKEN = "script, base, meta, link, iframe, frame, object, embed, template, audio, video, source, track, use, "
    + "animate, animateMotion, animateTransform, set";
  const OPENED = "form, noscript, button, dialog";
  const ADDRESS = /^(href|xlink:href|action|formaction|ping|srcset|poster|background|cite|data|manifest|target|on.*)$/i;
  const GRABS = /^(autofocus|tabindex|contenteditable|accesskey|popover.*)$/i;
  const PICTURE = /^data:image\//i;
  const message = document.getElementById("message");

  function tame(root) {
    for (const element of root.querySelectorAll(TAKEN)) element.remove();
    for (const element of root.querySelectorAll(OPENED)) element.replaceWith(...element.childNodes);
    for (const element of root.querySelectorAll("*")) tameOne(element);
  }

  function tameOne(element) {
    const address = element.localName === "a" ? element.getAttribute("href") : null;
    const isPicture = PICTURE.test(element.getAttribute("src") ?? "");
    for (const { name } of [...element.attributes]) {
      if (ADDRESS.test(name) || GRABS.test(name) || (name === "src" && !isPicture)) element.removeAttribute(name);
    }
    if (address) element.title = address;
    if (element.localName === "img" && !isPicture) element.alt ||= "a picture that is not loaded";
  }

  function show({ html, text }) {
    if (typeof text === "string") {
      const words = document.createElement("pre");
      words.textContent = text;
      message.replaceChildren(words);
      return;
    }
    const parsed = new DOMParser().parseFromString(String(html ?? ""), "text/html"); // inert: nothing loads, nothing runs
    tame(parsed);
    message.replaceChildren(...parsed.querySelectorAll("head style"), ...(parsed.body?.childNodes ?? []));
  }

  function tellHeight() {
    parent.postMessage({ height: document.body.getBoundingClientRect().height }, PAGE);
  }

  if (parent === window) return; // opened by itself there is nobody to listen to
  addEventListener("message", ({ source, origin, data }) => {
    if (source !== parent || origin !== PAGE || typeof data !== "object" || data === null) return;
    show(data);
    tellHeight();
  });
  addEventListener("click", (event) => event.preventDefault(), true);
  addEventListener("submit", (event) => event.preventDefault(), true);
  new ResizeObserver(tellHeight).observe(document.body);
  parent.postMessage({ ready: true }, PAGE);
})();
