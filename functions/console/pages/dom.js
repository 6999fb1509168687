// The only place that makes elements. Text becomes text, attributes are on a list, and no string is ever read as HTML:
// whatever an event, a provider or a person wrote is shown and does nothing.

const SVG = "http://www.w3.org/2000/svg";

const ATTRIBUTES = new Set([
  ..."id class role title type name value for href colspan rowspan scope placeholder autocomplete".split(" "),
  ..."spellcheck min max step maxlength minlength rows cols lang dir datetime tabindex open label".split(" "),
  ..."required disabled checked selected multiple readonly hidden inputmode pattern width height".split(" "),
  ..."sandbox src allow loading referrerpolicy".split(" "),
  ..."viewBox d x y x1 x2 y1 y2 cx cy r rx fill stroke points transform preserveAspectRatio focusable".split(" "),
  ..."text-anchor stroke-width stroke-linecap stroke-linejoin stroke-dasharray".split(" "),
]);
const OURS = new Set(["/console/frame.html"]);
const LINK = /^(#|\/docs$|\/openapi\.json$)/;

/** Make an HTML element. `set` holds attributes, `on` listeners; children are nodes, texts, or lists of them. */
export function h(tag, set = {}, ...children) {
  return filled(document.createElement(tag), set, children);
}

/** The same for SVG. */
export function svg(tag, set = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), set, children);
}

/** Let a long name break where its words end: after an underscore, a dot, a slash or a colon. */
export function breakable(name) {
  return String(name).split(/(?<=[_./:])/).flatMap((part, place) => (place ? [h("wbr"), part] : [part]));
}

/** Put children into a place of what was there. */
export function put(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** Put children only when what they show has changed; keep the focus on the one with the same address or name. */
export function keep(element, shown, make) {
  const mark = JSON.stringify(shown);
  if (marks.get(element) === mark) return;
  marks.set(element, mark);
  const focused = element.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  put(element, make());
  if (focused === null) return;
  const again = [...element.querySelectorAll("a, button, input, select, summary, [tabindex]")].find((one) => nameOf(one) === focused);
  again?.focus({ preventScroll: true });
}

const marks = new WeakMap();

function nameOf(element) {
  return `${element.tagName} ${element.getAttribute("href") ?? element.getAttribute("aria-label") ?? `${element.id} ${element.textContent}`}`;
}

function filled(element, { on = {}, ...set }, children) {
  for (const [name, value] of Object.entries(set)) {
    if (value === null || value === undefined || value === false) continue;
    allow(name, value);
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...flat(children));
  return element;
}

function allow(name, value) {
  const known = ATTRIBUTES.has(name) || name.startsWith("aria-") || name.startsWith("data-");
  if (!known) throw new TypeError(`no attribute of ours: ${name}`);
  if (name === "href" && !LINK.test(value)) throw new TypeError("a link leads within these pages");
  if (name === "src" && !OURS.has(value)) throw new TypeError("only the frame is embedded");
}

function flat(children) {
  return children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false)
    .map((one) => (one instanceof Node ? one : document.createTextNode(String(one))));
}
