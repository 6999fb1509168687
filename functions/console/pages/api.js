// The one door to the API. Whatever it refuses becomes a `Refusal` with a sentence that a person can read.

import { forget, key } from "./session.js";

const LONGEST_MILLISECONDS = 20000;
const AWAY = "The server does not answer. Nothing was changed that it did not say.";

/** What the API refused, or why it could not be asked. `retryAfter` is in seconds, null when it does not say. */
export class Refusal extends Error {
  constructor(status, title, detail, { errors = [], retryAfter = null } = {}) {
    super(detail || title);
    Object.assign(this, { name: "Refusal", status, title, errors, retryAfter });
  }

  /** Whether waiting may help. */
  get isPassing() {
    return [0, 429, 502, 503, 504].includes(this.status);
  }

  /** Say it in one line. */
  get line() {
    const wait = this.retryAfter ? ` Again in ${this.retryAfter} s.` : "";
    return `${this.title}. ${sentences(this)}${wait}`;
  }
}

function sentences({ errors, message }) {
  return errors.length ? errors.map(({ field, detail }) => `${field}: ${detail}`).join(" ") : message;
}

/** Read a problem document, whole or in its place in a set of results. */
export function refusalOf(problem, status = problem?.status ?? 0, retryAfter = null) {
  const title = text(problem?.title) || `The answer was ${status}`;
  const errors = Array.isArray(problem?.errors) ? problem.errors : [];
  return new Refusal(status, title, text(problem?.detail), { errors, retryAfter });
}

function text(value) {
  return typeof value === "string" ? value : "";
}

/** Ask the API. `query` leaves out what is empty. Raises Refusal; an AbortError passes through. */
export async function ask(method, path, { query = {}, body, signal } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  const answer = await send(url, method, body, signal);
  if (answer.ok) return answer.status === 204 ? null : read(answer);
  throw await refused(answer);
}

async function send(url, method, body, signal) {
  const headers = { Accept: "application/json" };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const waits = AbortSignal.timeout(LONGEST_MILLISECONDS);
  try {
    return await fetch(url, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, waits]) : waits,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
    });
  } catch (broken) {
    if (signal?.aborted) throw broken;
    throw new Refusal(0, "No answer", AWAY);
  }
}

async function read(answer) {
  try {
    return await answer.json();
  } catch {
    throw new Refusal(0, "No answer", "What came was no JSON.");
  }
}

async function refused(answer) {
  const problem = await answer.json().catch(() => null);
  const seconds = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  const refusal = refusalOf(problem, answer.status, Number.isFinite(seconds) ? seconds : null);
  if (answer.status === 401 && !new URL(answer.url).pathname.startsWith("/sandbox/")) { // which knows fewer keys
    forget();
    document.dispatchEvent(new CustomEvent("signed-out", { detail: refusal }));
  }
  return refusal;
}

/** Write a part of an address. */
export function part(value) {
  return encodeURIComponent(String(value));
}
