/** The little that the page knows of the query language: where the filter ends, how a value is quoted, which words it
 * looks for. The server knows the rest. */

const STRING = /"(?:[^"\\]|\\.)*"?|`[^`]*`?/y;
const BARE_FIELD = /^(?!-)[^\s()|,"`:=<>!*^$\p{Cc}]+$/u;
const BARE_NAME = /^[\p{L}_][\p{L}\p{N}_]*(\.[\p{L}\p{N}_]+)*$/u;
const WORD = /(-|not\s+)?("(?:[^"\\]|\\.)*"|`[^`]*`|[^\s()|,"`=<>!~^$*:]+\*?)(?=$|[\s()])/giu;
const LIST = /[^\s()]+\s+in\s*\([^)]*\)/gi;
const OPERATOR_BEFORE = /[=<>~:]\s*$/;
const KEYWORD = /^(and|or|not)$/i;
const EXPRESSION_KEYWORD = /^(and|or|not|in|true|false|null)$/i;
const MARKS_MAX = 20;

export const COLUMNS = ["time", "cluster", "namespace", "pod", "container", "stream", "severity", "message"];
export const CORRELATION = ["trace_id", "span_id"];

/** [filter, pipes]: split before the first `|` that is outside quotes and parentheses. */
export function splitFilter(query) {
  let depth = 0;
  for (let i = 0; i < query.length; i++) {
    STRING.lastIndex = i;
    const string = STRING.exec(query);
    if (string !== null) i = STRING.lastIndex - 1;
    else if (query[i] === "(") depth++;
    else if (query[i] === ")") depth--;
    else if (query[i] === "|" && depth === 0) return [query.slice(0, i).trim(), query.slice(i)];
  }
  return [query.trim(), ""];
}

/** The query with one more condition before its pipes. */
export function narrow(query, condition) {
  const [filter, pipes] = splitFilter(query);
  const both = filter === "" || filter === "*" ? condition : `${hasOr(filter) ? `(${filter})` : filter} ${condition}`;
  return pipes === "" ? both : `${both} ${pipes}`;
}

/** The query with one more condition on its result. */
export function narrowResult(query, condition) {
  return `${query.trim() === "" ? "*" : query.trim()} | where ${condition}`;
}

/** `pod="web-1"`, or `!=`: the field at this path has exactly this value (a string, number or boolean). */
export function equals(path, value, { isExcluded = false, isOfResult = false } = {}) {
  const field = isOfResult ? nameInExpression(path.join(".")) : fieldInFilter(path.join("."));
  const isText = typeof value === "string" || typeof value === "boolean";
  return `${field}${isExcluded ? "!=" : "="}${isText ? quoted(String(value)) : value}`;
}

function fieldInFilter(name) {
  return BARE_FIELD.test(name) && !KEYWORD.test(name) ? name : quoted(name);
}

function nameInExpression(name) {
  return BARE_NAME.test(name) && !EXPRESSION_KEYWORD.test(name) ? name : `field(${quoted(name)})`;
}

export function quoted(text) {
  const escape = (character) => {
    if (character === "\n") return "\\n";
    if (character === "\t") return "\\t";
    if (character === '"' || character === "\\") return `\\${character}`;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  };
  return `"${text.replace(/["\\\p{Cc}]/gu, escape)}"`;
}

/** A RegExp for the words and phrases that the filter looks for in messages, or null. */
export function marks(query) {
  const filter = splitFilter(query)[0].replace(LIST, " ");
  const texts = [];
  for (const { 1: negation, 2: term, index } of filter.matchAll(WORD)) {
    if (negation !== undefined || KEYWORD.test(term) || texts.length === MARKS_MAX) continue;
    if (OPERATOR_BEFORE.test(filter.slice(0, index))) continue;
    const text = term.replace(/^["`]|["`]$/g, "").replace(/\*$/, "").replace(/\\(["\\])/g, "$1");
    if (text !== "") texts.push(text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&"));
  }
  return texts.length === 0 ? null : new RegExp(texts.join("|"), "gi");
}

/** [before, at, after] of the query's line that an error's position points at; columns count characters. */
export function place(query, position) {
  const line = query.split("\n")[position.line - 1] ?? "";
  const characters = Array.from(line);
  const start = Math.min(Math.max(position.column - 1, 0), characters.length);
  let end = start;
  while (end < characters.length && /[\p{L}\p{N}_]/u.test(characters[end])) end++;
  if (end === start) end = start + 1;
  return [characters.slice(0, start), characters.slice(start, end), characters.slice(end)].map((part) => part.join(""));
}

/** The offset in UTF-16 units of a position in the query. */
export function offset(query, position) {
  const lines = query.split("\n").slice(0, position.line);
  const last = Array.from(lines.pop() ?? "");
  const before = lines.reduce((sum, line) => sum + line.length + 1, 0);
  return before + last.slice(0, Math.max(0, position.column - 1)).join("").length;
}

function hasOr(filter) {
  let depth = 0;
  for (let i = 0; i < filter.length; i++) {
    STRING.lastIndex = i;
    if (STRING.exec(filter) !== null) i = STRING.lastIndex - 1;
    else if (filter[i] === "(") depth++;
    else if (filter[i] === ")") depth--;
    else if (depth === 0 && /^or[\s("`]/i.test(filter.slice(i)) && /[\s)"`]/.test(filter[i - 1] ?? " ")) return true;
  }
  return false;
}
