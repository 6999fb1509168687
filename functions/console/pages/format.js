// Times and numbers as people read them, all in the browser's own time zone.

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const clockForm = new Intl.DateTimeFormat("en-GB", CLOCK);
const minuteForm = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayForm = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const numberForm = new Intl.NumberFormat("en-GB");

/** Write a count with thousands. */
export function count(value) {
  return typeof value === "number" ? numberForm.format(value) : "–";
}

/** Write "1 letter", "2 letters". */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** Write a moment: the time alone if it was today. */
export function moment(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "–";
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clockForm.format(date) : `${dayForm.format(date)}, ${clockForm.format(date)}`;
}

/** Write the clock with milliseconds. */
export function clock(at) {
  const date = new Date(at);
  return `${clockForm.format(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Write hours and minutes. */
export function minute(at) {
  return minuteForm.format(new Date(at));
}

/** Write the day. */
export function day(at) {
  return dayForm.format(new Date(at));
}

const STEPS = [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]];

/** Write a duration in its two largest units; below a minute with tenths, below a second in milliseconds. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  for (const [size, unit, smaller, name] of STEPS) {
    if (seconds < size) continue;
    const rest = Math.floor((seconds % size) / smaller);
    return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${name}` : ""}`;
  }
  if (seconds >= 10) return `${Math.round(seconds)} s`;
  return seconds >= 1 ? `${seconds.toFixed(1)} s` : `${Math.max(0, Math.round(seconds * 1000))} ms`;
}

/** Count the seconds from one moment to another. */
export function between(earlier, later) {
  return (new Date(later) - new Date(earlier)) / 1000;
}

/** Turn what a datetime-local field holds into RFC 3339, and back. */
export function toInstant(local) {
  const date = new Date(local);
  return local && !Number.isNaN(date.getTime()) ? date.toISOString() : "";
}

export function toLocal(instant) {
  const date = new Date(instant);
  if (!instant || Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

/** Shorten an id to what tells it apart from its neighbours: the end, for the beginning may be a time. */
export function short(id) {
  return `…${String(id).slice(-8)}`;
}
