// Who is signed in. The key lies in this tab's sessionStorage and goes out in a header: never in a cookie, an address
// or the browser's lasting storage. Closing the tab, or "Sign out", forgets it.

const PLACE = "carillon.key";
const LOOKS_LIKE_A_HEADER = /^[\x21-\x7e]{1,4096}$/;

export const session = { me: null };

/** Tell whether a text can be a key or a token at all. */
export function isKey(text) {
  return LOOKS_LIKE_A_HEADER.test(text);
}

/** Read the key of this tab, if there is one. */
export function key() {
  return sessionStorage.getItem(PLACE) ?? "";
}

/** Keep a key for this tab. */
export function keepKey(text) {
  sessionStorage.setItem(PLACE, text);
}

/** Forget the key, and who it was. */
export function forget() {
  sessionStorage.removeItem(PLACE);
  session.me = null;
}

/** Tell whether who is signed in may do something: "send", "read", "manage". */
export function may(scope) {
  return Boolean(session.me?.scopes?.includes(scope));
}

/** Say in a sentence what these keys may do here. */
export function roleOf(me) {
  if (me.is_open) return "open on this machine";
  if (me.scopes.includes("manage")) return "operator";
  return me.scopes.includes("read") ? "read only" : "nothing to see";
}

/** Say why what changes things is not there; null where it is. */
export function whyNot(scope = "manage") {
  return may(scope) ? null : `You are here with a key that only looks. What changes things needs the scope ${scope}.`;
}
