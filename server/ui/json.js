/** JSON without loss: a number that a double cannot hold (a `_seq`, say) is kept as it was written. */

export class ExactNumber {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }

  toJSON() {
    return JSON.rawJSON(this.text);
  }
}

/** The value of a JSON text, with an ExactNumber wherever a number would come out differently. */
export function parse(text) {
  return JSON.parse(text, keepExact);
}

/** Indented JSON text, numbers as they came. */
export function pretty(value) {
  return JSON.stringify(value, null, 2);
}

/** The text of one value: a string as it is, anything else as JSON. */
export function asText(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

function keepExact(key, value, context) {
  if (typeof value !== "number" || context === undefined || String(value) === context.source) return value;
  return new ExactNumber(context.source);
}
