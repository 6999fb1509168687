// Bytes as they came, for a person: as text, with what cannot be shown as a dot's place, and as a hex dump.

const PER_LINE = 16;
const MOST = 4096;

/** Read base64. Null when it is none. */
export function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

/** Write bytes as text: UTF-8, with a mark where it is none. */
export function asText(bytes) {
  return new TextDecoder("utf-8").decode(bytes.subarray(0, MOST)) + more(bytes);
}

/** Write bytes as a hex dump, 16 in a line. */
export function asHex(bytes) {
  const lines = [];
  for (let start = 0; start < Math.min(bytes.length, MOST); start += PER_LINE) {
    const part = [...bytes.subarray(start, Math.min(start + PER_LINE, MOST))];
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const shown = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${start.toString(16).padStart(6, "0")}  ${hex.padEnd(PER_LINE * 3 - 1)}  ${shown}`);
  }
  return lines.join("\n") + more(bytes);
}

function more(bytes) {
  return bytes.length > MOST ? `\n… and ${bytes.length - MOST} bytes more` : "";
}
