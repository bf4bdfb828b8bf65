/** The time range: the last so much, everything, or from one moment to another. */

export const LASTS = ["15m", "1h", "6h", "24h", "7d"];
export const DEFAULT = { last: "1h" };

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A range is `{last}`, `{}` (everything) or `{start, end}` in RFC 3339, either may be absent. */
export function fromUrl(parameters) {
  const start = readable(parameters.get("start"));
  const end = readable(parameters.get("end"));
  if (start !== null || end !== null) return { start, end };
  const last = parameters.get("range");
  if (last === "all") return {};
  return LASTS.includes(last) ? { last } : DEFAULT;
}

export function toUrl(range, parameters) {
  if (range.last !== undefined) parameters.set("range", range.last);
  else if (range.start === undefined && range.end === undefined) parameters.set("range", "all");
  if (range.start) parameters.set("start", range.start);
  if (range.end) parameters.set("end", range.end);
}

/** Parameters of a query. A relative range has no end, so that a clock a little ahead hides no line. */
export function toQuery(range) {
  if (range.last !== undefined) return { start: `-${range.last}` };
  return { ...(range.start ? { start: range.start } : {}), ...(range.end ? { end: range.end } : {}) };
}

/** Parameters of a histogram, which ends now where nothing else is said. */
export function toHistogram(range) {
  return range.last === undefined ? toQuery(range) : { start: `-${range.last}`, end: "now" };
}

/** The same range with its start fixed, counted from the server's clock, so that older pages fit the first one. */
export function pinned(range, now_ms) {
  if (range.last === undefined) return toQuery(range);
  return { start: new Date(now_ms - length_ms(range)).toISOString() };
}

/** Milliseconds, or null where an end is open. */
export function length_ms(range) {
  if (range.last !== undefined) return Number.parseInt(range.last, 10) * UNITS_MS[range.last.at(-1)];
  return range.start && range.end ? Date.parse(range.end) - Date.parse(range.start) : null;
}

export function describe(range) {
  if (range.last !== undefined) return `in the last ${range.last}`;
  if (!range.start && !range.end) return "at any time";
  return "in this time range";
}

/** The longer ranges that are worth trying where nothing was found. */
export function wider(range) {
  const mine = length_ms(range);
  const longer = LASTS.filter((last) => mine === null || range.last === undefined || length_ms({ last }) > mine);
  return [...longer.slice(-2).map((last) => ({ last })), {}];
}

/** A shorter range for a query that took too long, or null. */
export function shorter(range) {
  const mine = length_ms(range);
  const fitting = LASTS.filter((last) => mine === null || length_ms({ last }) < mine);
  return fitting.length === 0 ? null : { last: fitting.at(-1) };
}

/** The value of a `datetime-local` input for a moment, and back; both in UTC or in the browser's zone. */
export function toInput(iso, isUtc) {
  if (!iso) return "";
  const at = new Date(iso);
  const wall = isUtc ? at : new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return wall.toISOString().slice(0, 23);
}

export function fromInput(value, isUtc) {
  return value === "" ? null : readable(isUtc ? `${value}Z` : value);
}

function readable(text) {
  if (text === null || text === "") return null;
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return null;
  return /\.\d{4,}/.test(text) && text.endsWith("Z") ? text : at.toISOString();
}
