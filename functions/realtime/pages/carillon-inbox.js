// <carillon-inbox url="https://notify.example.com" user="7" token="…"></carillon-inbox>
//
// A bell with the number of unread messages, and the list behind it, live over one WebSocket. No build step, nothing
// else to load, no inline style and no markup out of a message: it works under a policy without 'unsafe-inline'.
// docs/inbox.md says how to embed, style and translate it.

// ms; doubled from one to the other. A pause is anything between nothing and that: thousands are cut off at once, and
// must not come back at once.
const FIRST_PAUSE = 2_000, LONGEST_PAUSE = 30_000;
const BEAT = 20_000, PATIENCE = 10_000; // ms; so often the server is asked whether it lives, so long it may take
const PAGE = 20, MOST_KEPT = 200;
const TOKEN_ENDED = 4401;
const FINAL = new Set([1003, 1007]); // what we said was nonsense: it would be the same again

/** Name a message where there is no room for all of it. */
function spoken({ subject, message }) {
  const whole = [subject, message].filter(Boolean).join(": ");
  return whole.length > 100 ? `${whole.slice(0, 99)}…` : whole;
}

export const WORDS = {
  title: "Notifications",
  bell: (count) => (count ? `Notifications, ${count} unread` : "Notifications, none unread"),
  empty: "Nothing here yet.",
  older: "Show older",
  readAll: "Mark all as read",
  read: "Mark as read",
  unread: "Mark as unread",
  archive: "Archive",
  close: "Close",
  isUnread: "Unread",
  arrived: (item) => `New notification: ${spoken(item)}`,
  offline: "Offline. What is new comes as soon as there is a connection.",
};

const SHEET = new CSSStyleSheet();
SHEET.replaceSync(`
:host {
  --_surface: var(--carillon-inbox-surface, #ffffff);
  --_text: var(--carillon-inbox-text, #1a1d21);
  --_muted: var(--carillon-inbox-muted, #59626d);
  --_line: var(--carillon-inbox-line, #d5dae0);
  --_accent: var(--carillon-inbox-accent, #2656c4);
  --_badge: var(--carillon-inbox-badge, #b3261e);
  --_badge-text: var(--carillon-inbox-badge-text, #ffffff);
  --_bell: var(--carillon-inbox-bell, currentColor);
  --_width: var(--carillon-inbox-width, 24rem);
  --_height: var(--carillon-inbox-height, 32rem);
  --_radius: var(--carillon-inbox-radius, 0.5rem);
  --_font: var(--carillon-inbox-font, 0.9375rem/1.45 system-ui, sans-serif);
  position: relative; display: inline-block; font: var(--_font);
}
:host([hidden]) { display: none; }
@media (prefers-color-scheme: dark) {
  :host(:not([theme="light"])) {
    --_surface: var(--carillon-inbox-surface, #1b1e23);
    --_text: var(--carillon-inbox-text, #eceff3);
    --_muted: var(--carillon-inbox-muted, #aab3be);
    --_line: var(--carillon-inbox-line, #3a414a);
    --_accent: var(--carillon-inbox-accent, #93b8ff);
    --_badge: var(--carillon-inbox-badge, #ff9a92);
    --_badge-text: var(--carillon-inbox-badge-text, #1b1e23);
  }
}
:host([theme="dark"]) {
  --_surface: var(--carillon-inbox-surface, #1b1e23);
  --_text: var(--carillon-inbox-text, #eceff3);
  --_muted: var(--carillon-inbox-muted, #aab3be);
  --_line: var(--carillon-inbox-line, #3a414a);
  --_accent: var(--carillon-inbox-accent, #93b8ff);
  --_badge: var(--carillon-inbox-badge, #ff9a92);
  --_badge-text: var(--carillon-inbox-badge-text, #1b1e23);
}
button { font: inherit; color: inherit; background: none; border: 0; border-radius: 0.25rem; cursor: pointer; }
button:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.bell { position: relative; padding: 0.5rem; line-height: 0; color: var(--_bell); }
.bell svg { width: 1.5rem; height: 1.5rem; fill: none; stroke: currentColor; stroke-width: 1.75; }
.badge {
  position: absolute; top: 0; inset-inline-end: 0; min-width: 1.25rem; padding: 0 0.25rem; box-sizing: border-box;
  border-radius: 0.625rem; background: var(--_badge); color: var(--_badge-text);
  font: 600 0.75rem/1.25rem system-ui, sans-serif; text-align: center;
}
.panel {
  position: absolute; z-index: 1000; inset-inline-end: 0; top: 100%; width: var(--_width); max-width: 90vw;
  max-height: min(var(--_height), 80vh); display: flex; flex-direction: column; box-sizing: border-box;
  background: var(--_surface); color: var(--_text); border: 1px solid var(--_line); border-radius: var(--_radius);
  box-shadow: 0 0.5rem 1.5rem rgb(0 0 0 / 0.25); text-align: start;
}
:host([align="start"]) .panel { inset-inline-end: auto; inset-inline-start: 0; }
[hidden] { display: none !important; }
header { display: flex; align-items: center; gap: 0.5rem; padding: 0.5rem 0.75rem; border-bottom: 1px solid var(--_line); }
h2 { flex: 1; margin: 0; font: inherit; font-weight: 600; }
.action { padding: 0.25rem 0.375rem; color: var(--_accent); }
.action:hover { text-decoration: underline; }
.action[disabled] { color: var(--_muted); cursor: default; text-decoration: none; }
.offline, .empty { margin: 0; padding: 0.75rem; color: var(--_muted); }
.scroller { overflow-y: auto; }
ul { list-style: none; margin: 0; padding: 0; }
li { padding: 0.625rem 0.75rem; border-bottom: 1px solid var(--_line); overflow-wrap: anywhere; }
li.unread { border-inline-start: 0.25rem solid var(--_accent); padding-inline-start: 0.5rem; }
li.unread .subject { font-weight: 600; }
.subject, .message { margin: 0; white-space: pre-line; }
.foot { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem; margin-top: 0.25rem; }
time { flex: 1; color: var(--_muted); font-size: 0.8125rem; }
.older { display: block; width: 100%; padding: 0.625rem; color: var(--_accent); }
.silent {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
@media (prefers-reduced-motion: no-preference) { .badge.fresh { animation: arrive 0.3s ease-out; } }
@keyframes arrive { from { transform: scale(0.4); } }
`);

/** Make an element: properties, then children; text is text, never markup. */
function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "datetime") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

function bellIcon() {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const line of ["M6 16V10a6 6 0 0 1 12 0v6l1.5 2h-15z", "M10 20.5a2 2 0 0 0 4 0"]) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", line);
    svg.append(path);
  }
  return svg;
}

/** One WebSocket that is opened again whenever it breaks, where it broke off. What is said is said until it is kept. */
class Line {
  #socket = null;
  #timer = 0;
  #beat = 0;
  #deadline = 0;
  #failures = 0;
  #isWanted = false;
  #unsaid = [];
  #asked = [];

  constructor({ address, protocols, onFrame, onState, onTokenEnded }) {
    Object.assign(this, { address, protocols, onFrame, onState, onTokenEnded });
    this.cursor = null;
    this.change = null;
  }

  open() {
    this.#isWanted = true;
    this.#connect();
  }

  close() {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    this.#drop(1000);
  }

  /** Try at once: the network is said to be there again, or somebody looks. */
  hurry() {
    if (!this.#isWanted) return;
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#ping();
    } else if (!this.#socket) {
      clearTimeout(this.#timer);
      this.#connect();
    }
  }

  /** Say something that must not be lost: again after a break, until the server has worked on it. */
  say(frame) {
    this.#unsaid.push(frame);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#send([frame]);
  }

  /** Ask for something that is of no use later. */
  ask(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #connect() {
    const url = new URL(this.address);
    if (this.cursor !== null) {
      url.searchParams.set("since", this.cursor);
      url.searchParams.set("change", this.change);
    }
    const socket = new WebSocket(url, this.protocols);
    this.#socket = socket;
    this.#deadline = setTimeout(() => this.#broken(socket, 1006), PATIENCE);
    socket.onopen = () => {
      clearTimeout(this.#deadline);
      this.#beat = setInterval(() => this.#ping(), BEAT);
      this.onState(true);
      this.#send(this.#unsaid);
    };
    socket.onmessage = (event) => this.#hear(JSON.parse(event.data));
    socket.onclose = (event) => this.#broken(socket, event.code);
  }

  #hear(frame) {
    clearTimeout(this.#deadline);
    this.#failures = 0;
    if (frame.type === "pong") {
      const kept = new Set(this.#asked.shift());
      this.#unsaid = this.#unsaid.filter((said) => !kept.has(said));
      return;
    }
    if (frame.type === "notification") this.cursor = Math.max(this.cursor ?? 0, frame.cursor);
    if (frame.type === "marks") this.change = Math.max(this.change ?? 0, frame.change);
    if (frame.type === "unread_count") {
      this.cursor = Math.max(this.cursor ?? 0, frame.cursor);
      this.change = Math.max(this.change ?? 0, frame.change);
    }
    this.onFrame(frame);
  }

  /** The server works on one frame after the other: when it answers the ping, it has kept what came before. */
  #send(frames) {
    if (!frames.length) return;
    for (const frame of frames) this.#socket.send(JSON.stringify(frame));
    this.#ping(frames);
  }

  #ping(frames = []) {
    this.#asked.push([...frames]);
    this.#socket.send(JSON.stringify({ type: "ping" }));
    clearTimeout(this.#deadline);
    const socket = this.#socket;
    this.#deadline = setTimeout(() => this.#broken(socket, 1006), PATIENCE);
  }

  #drop(code) {
    const socket = this.#socket;
    this.#socket = null;
    this.#asked = [];
    clearTimeout(this.#deadline);
    clearInterval(this.#beat);
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (socket.readyState < WebSocket.CLOSING && code !== 1006) socket.close(1000);
    else socket.close();
  }

  #broken(socket, code) {
    if (socket !== this.#socket) return;
    this.#drop(code);
    this.onState(false);
    if (code === TOKEN_ENDED) return this.onTokenEnded();
    if (FINAL.has(code) || !this.#isWanted) return;
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.#connect(), longest * Math.random());
  }
}

export class CarillonInbox extends HTMLElement {
  static observedAttributes = ["url", "user", "token", "lang"];

  #line = null;
  #items = new Map();
  #count = 0;
  #hasOlder = false;
  #isListed = false;
  #words = WORDS;
  #restart = 0;
  #received = [];
  #parts;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [SHEET];
    this.#parts = this.#build(root);
  }

  /** The element's words, to be replaced in part or as a whole. */
  get words() { return this.#words; }
  set words(words) {
    this.#words = { ...WORDS, ...words };
    this.#speak();
  }

  get count() { return this.#count; }
  get isOpen() { return !this.#parts.panel.hidden; }

  connectedCallback() {
    this.#speak();
    this.#start();
    window.addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", this.#hurry);
    document.addEventListener("pointerdown", this.#outside);
  }

  disconnectedCallback() {
    this.#line?.close();
    this.#line = null;
    window.removeEventListener("online", this.#hurry);
    document.removeEventListener("visibilitychange", this.#hurry);
    document.removeEventListener("pointerdown", this.#outside);
  }

  attributeChangedCallback(name, before, after) {
    if (before === after || !this.isConnected) return;
    clearTimeout(this.#restart); // several attributes are often set one after the other
    this.#restart = setTimeout(() => (name === "token" ? this.#renew() : this.#start()));
  }

  open() { this.#show(true); }
  close() { this.#show(false); }

  #hurry = () => document.visibilityState === "visible" && this.#line?.hurry();
  #outside = (event) => this.isOpen && !event.composedPath().includes(this) && this.#show(false);

  #build(root) {
    const badge = make("span", { className: "badge", hidden: true, "aria-hidden": "true" });
    const bell = make("button", { type: "button", className: "bell", "aria-expanded": "false", "aria-controls": "panel" }, bellIcon(), badge);
    const title = make("h2", { id: "title" });
    const readAll = make("button", { type: "button", className: "action" });
    const close = make("button", { type: "button", className: "action" });
    const offline = make("p", { className: "offline", hidden: true });
    const empty = make("p", { className: "empty", hidden: true });
    const list = make("ul", { "aria-labelledby": "title" });
    const older = make("button", { type: "button", className: "older", hidden: true });
    const scroller = make("div", { className: "scroller", tabIndex: 0, role: "group", "aria-labelledby": "title" }, empty, list, older);
    const panel = make(
      "section",
      { id: "panel", className: "panel", hidden: true, "aria-labelledby": "title" },
      make("header", {}, title, readAll, close), offline, scroller,
    );
    const live = make("div", { className: "silent", role: "status", "aria-live": "polite" });
    bell.onclick = () => this.#show(panel.hidden);
    close.onclick = () => this.#show(false);
    readAll.onclick = () => this.#readAll();
    older.onclick = () => this.#older();
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.isOpen) {
        event.stopPropagation();
        this.#show(false);
      }
    });
    root.append(bell, panel, live);
    return { badge, bell, title, readAll, close, offline, empty, list, older, scroller, panel, live };
  }

  #speak() {
    const { title, readAll, close, offline, empty, older } = this.#parts;
    title.textContent = this.#words.title;
    readAll.textContent = this.#words.readAll;
    close.textContent = this.#words.close;
    offline.textContent = this.#words.offline;
    empty.textContent = this.#words.empty;
    older.textContent = this.#words.older;
    this.#showCount();
    this.#render();
  }

  #start() {
    this.#line?.close();
    this.#line = null;
    this.#items.clear();
    this.#isListed = false;
    this.#setCount(0);
    this.#render();
    const user = this.getAttribute("user");
    if (!user) return;
    const address = new URL(this.getAttribute("url") || "/", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.pathname = `${address.pathname.replace(/[^/]*$/, "")}ws/${encodeURIComponent(user)}`;
    this.#line = new Line({
      address,
      protocols: this.#protocols(),
      onFrame: (frame) => this.#hear(frame),
      onState: (isOnline) => this.#setOnline(isOnline),
      onTokenEnded: () => this.#tell("carillon-token-ended", {}),
    });
    this.#line.open();
  }

  /** Go on with a new token where the old one has ended: nothing is asked for twice. */
  #renew() {
    if (!this.#line) return this.#start();
    this.#line.protocols = this.#protocols();
    this.#line.close();
    this.#line.open();
  }

  #protocols() {
    const token = this.getAttribute("token");
    return token ? ["carillon", `bearer.${token}`] : [];
  }

  #setOnline(isOnline) {
    this.#parts.offline.hidden = isOnline;
    this.toggleAttribute("online", isOnline);
    if (isOnline && !this.#isListed) this.#line.ask({ type: "list", limit: PAGE });
  }

  #hear(frame) {
    const { type } = frame;
    if (type === "unread_count") this.#setCount(frame.count);
    else if (type === "notification") this.#arrive(frame);
    else if (type === "list") this.#listed(frame);
    else if (type === "marks") this.#marked(frame);
  }

  #arrive(item) {
    const isNew = !this.#items.has(item.cursor) && !item.read_at && !item.archived_at;
    this.#keep([item]);
    if (isNew) {
      this.#parts.live.textContent = this.#words.arrived(item);
      this.#tell("carillon-notification", item);
    }
    this.#render();
  }

  #listed(page) {
    this.#isListed = true;
    this.#hasOlder = page.next_cursor !== null;
    this.#keep(page.items);
    this.#render();
  }

  /** Keep items, the newest of them, and tell the server that they are here: several at once. */
  #keep(items) {
    for (const item of items) {
      this.#items.set(item.cursor, item);
      if (!item.acknowledged_at) this.#received.push(item.id);
    }
    if (this.#items.size > MOST_KEPT) {
      const cursors = [...this.#items.keys()].sort((one, other) => other - one);
      for (const cursor of cursors.slice(MOST_KEPT)) this.#items.delete(cursor);
      this.#hasOlder = true;
    }
    if (!this.#received.length || this.#received.isWaiting) return;
    this.#received.isWaiting = true;
    setTimeout(() => {
      const ids = this.#received;
      this.#received = [];
      for (let start = 0; start < ids.length; start += 100) {
        this.#line?.say({ type: "ack", ids: ids.slice(start, start + 100) });
      }
    }, 50);
  }

  #marked({ read, unread, archived, removed }) {
    const is = { read: new Set(read), unread: new Set(unread), archived: new Set(archived), removed: new Set(removed) };
    const now = new Date().toISOString();
    for (const [cursor, item] of this.#items) {
      if (is.removed.has(item.id)) this.#items.delete(cursor);
      if (!is.read.has(item.id) && !is.unread.has(item.id)) continue;
      const read_at = is.read.has(item.id) ? item.read_at ?? now : null;
      const archived_at = is.archived.has(item.id) ? item.archived_at ?? now : null;
      this.#items.set(cursor, { ...item, read_at, archived_at });
    }
    this.#render();
  }

  #mark(kind, item) {
    const marks = { read: [], unread: [], archived: [], removed: [] };
    marks[kind === "unread" || (kind === "archive" && !item.read_at) ? "unread" : "read"].push(item.id);
    if (kind === "archive") marks.archived.push(item.id);
    this.#marked(marks);
    this.#line?.say({ type: kind, id: item.id });
  }

  #readAll() {
    const unread = [...this.#items.values()].filter((item) => !item.read_at).map((item) => item.id);
    this.#marked({ read: unread, unread: [], archived: [], removed: [] });
    this.#line?.say({ type: "read", all: true, until: this.#line.cursor ?? 0 });
    this.#parts.scroller.focus();
  }

  #older() {
    const lowest = Math.min(...this.#items.keys());
    this.#line?.ask({ type: "list", limit: PAGE, cursor: String(lowest) });
  }

  #setCount(count) {
    const isMore = count > this.#count;
    this.#count = count;
    this.#showCount();
    this.#parts.badge.classList.toggle("fresh", isMore);
    this.#tell("carillon-count", { count });
  }

  #showCount() {
    const { badge, bell, readAll } = this.#parts;
    badge.hidden = this.#count === 0;
    badge.textContent = this.#count > 99 ? "99+" : String(this.#count);
    bell.setAttribute("aria-label", this.#words.bell(this.#count));
    readAll.disabled = this.#count === 0;
  }

  #show(isShown) {
    const { panel, bell, scroller } = this.#parts;
    if (panel.hidden === !isShown) return;
    panel.hidden = !isShown;
    bell.setAttribute("aria-expanded", String(isShown));
    (isShown ? scroller : bell).focus();
  }

  #render() {
    const { list, empty, older } = this.#parts;
    const shown = [...this.#items.values()].filter((item) => !item.archived_at);
    shown.sort((one, other) => other.cursor - one.cursor);
    const held = this.#held();
    list.replaceChildren(...shown.map((item) => this.#row(item)));
    empty.hidden = shown.length > 0 || !this.#isListed;
    older.hidden = !this.#hasOlder;
    this.#hold(held, shown);
  }

  /** Remember where the keyboard is: which row, which button of it. */
  #held() {
    const focused = this.shadowRoot.activeElement;
    const row = focused?.closest("li");
    return row && { cursor: Number(row.dataset.cursor), action: focused.dataset.action };
  }

  /** Put the keyboard back: to the same row, or where that is gone to the next one, or to the list. */
  #hold(held, shown) {
    if (!held) return;
    const next = shown.find((item) => item.cursor <= held.cursor) ?? shown.at(-1);
    const row = next && this.#parts.list.querySelector(`li[data-cursor="${next.cursor}"]`);
    (row?.querySelector(`button[data-action="${held.action}"]`) ?? this.#parts.scroller).focus();
  }

  #row(item) {
    const isUnread = !item.read_at;
    const row = make("li", { className: isUnread ? "unread" : "" });
    row.dataset.cursor = item.cursor;
    if (isUnread) row.append(make("span", { className: "silent", textContent: this.#words.isUnread }));
    if (item.subject) row.append(make("p", { className: "subject", textContent: item.subject }));
    row.append(make("p", { className: "message", textContent: item.message }));
    const at = new Date(item.created_at);
    const time = make("time", {
      datetime: item.created_at,
      textContent: at.toLocaleString(this.lang || document.documentElement.lang || undefined, { dateStyle: "medium", timeStyle: "short" }),
    });
    const kind = isUnread ? "read" : "unread";
    row.append(make("div", { className: "foot" }, time, this.#action(item, kind, "read"), this.#action(item, "archive", "archive")));
    return row;
  }

  #action(item, kind, place) {
    const words = this.#words[kind];
    const button = make("button", { type: "button", className: "action", textContent: words });
    button.dataset.action = place;
    button.setAttribute("aria-label", `${words}: ${spoken(item)}`);
    button.onclick = () => this.#mark(kind, item);
    return button;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

if (!customElements.get("carillon-inbox")) customElements.define("carillon-inbox", CarillonInbox);
