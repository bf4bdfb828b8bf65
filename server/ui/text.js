/** What a person sees: escaped control characters, times, counts; and the one way to build elements. */

/** Control and format characters, lone surrogates and separators that could hide or reorder text; not tab, and not the
 * joiners that scripts and emoji need. */
const UNSEEN = /(?![\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const NAMED = { "\n": "\\n", "\r": "\\r", "\0": "\\0" };
const MINUTE_MS = 60_000;

/** An element; `on…` properties are listeners, `dataset` is merged, all others are attributes. Children that are no
 * nodes become text. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(element.dataset, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An SVG element with these attributes. */
export function svgNode(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Adds `text` to `parent`: what cannot be seen as an escape, what `marks` (a global RegExp or null) finds marked. */
export function appendVisible(parent, text, marks = null, keepsNewlines = false) {
  let end = 0;
  for (const match of marks === null ? [] : text.matchAll(marks)) {
    if (match[0] === "") continue;
    appendEscaped(parent, text.slice(end, match.index), keepsNewlines);
    const mark = el("mark");
    appendEscaped(mark, match[0], keepsNewlines);
    parent.append(mark);
    end = match.index + match[0].length;
  }
  appendEscaped(parent, text.slice(end), keepsNewlines);
}

function appendEscaped(parent, text, keepsNewlines) {
  let end = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (keepsNewlines && match[0] === "\n") continue;
    parent.append(text.slice(end, match.index), el("span", { class: "unseen" }, escaped(match[0])));
    end = match.index + match[0].length;
  }
  if (end < text.length) parent.append(text.slice(end));
}

/** The same as plain text, for titles. */
export function visible(text) {
  return text.replace(UNSEEN, escaped);
}

function escaped(character) {
  if (character in NAMED) return NAMED[character];
  const code = character.codePointAt(0);
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
}

/** `09:05:07.123` of an RFC 3339 UTC time, or `11-24 09:05:07.123`; in the browser's zone unless `isUtc`. */
export function clock(time, isUtc, hasDate) {
  const local = isUtc ? time : shifted(time);
  return local === null ? time : hasDate ? `${local.slice(5, 10)} ${local.slice(11, 23)}` : local.slice(11, 23);
}

/** `2026-11-24 09:05:07.123456789` and the zone. */
export function fullTime(time, isUtc) {
  const local = isUtc ? time : shifted(time);
  return local === null ? time : `${local.slice(0, 10)} ${local.slice(11, 29)} ${isUtc ? "UTC" : zone(new Date(time))}`;
}

/** An RFC 3339 UTC time written with the browser's clock, its fraction kept; null if it is none. */
function shifted(time) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return null;
  const wall = new Date(at.getTime() - at.getTimezoneOffset() * MINUTE_MS);
  return `${wall.toISOString().slice(0, 19)}${/\.\d+/.exec(time)?.[0] ?? ""}`;
}

export function zone(at) {
  const minutes = -at.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const two = (number) => String(number).padStart(2, "0");
  return `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

export function count(number, noun) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : `${noun}s`}`;
}

/** `14:05`, `14:05:30`, `Nov 24` …: as much as tells moments `step_ms` apart. */
export function tick(at_ms, step_ms, isUtc) {
  const options = { timeZone: isUtc ? "UTC" : undefined, hour12: false };
  const day = { month: "short", day: "numeric" };
  const hour = { hour: "2-digit", minute: "2-digit" };
  if (step_ms >= 20 * 86_400_000) return new Date(at_ms).toLocaleString("en", { ...options, ...day, year: "numeric" });
  if (step_ms >= 86_400_000) return new Date(at_ms).toLocaleString("en", { ...options, ...day });
  if (step_ms >= 3 * 3_600_000) return new Date(at_ms).toLocaleString("en", { ...options, ...day, ...hour });
  if (step_ms >= MINUTE_MS) return new Date(at_ms).toLocaleString("en", { ...options, ...hour });
  const second = { ...hour, second: "2-digit", ...(step_ms < 1000 ? { fractionalSecondDigits: 3 } : {}) };
  return new Date(at_ms).toLocaleString("en", { ...options, ...second });
}
