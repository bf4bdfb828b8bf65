/** How a row looks: a log line, or a row of a table where the query's pipes made one. */

import { severityClass } from "./histogram.js";
import { asText, isObject } from "./json.js";
import { CORRELATION } from "./query.js";
import { appendVisible, clock, count, el, visible } from "./text.js";

const MESSAGE_MAX = 2_000;
const SHORT = { fatal: "FATAL", error: "ERROR", warn: "WARN", info: "INFO", debug: "DEBUG", trace: "TRACE" };
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Whether a query's answer is log lines, rather than a table. */
export function isLine(record) {
  return typeof record.message === "string" && typeof record.time === "string";
}

/** Fills a row with a log line. `look` has isUtc, hasDate, columns (dotted names) and marks (RegExp or null). */
export function fillLine(element, record, look) {
  if (record.gap !== undefined) {
    element.classList.add("gap");
    element.append(`${count(record.gap, "line")} missed: they came faster than they could be sent or kept`);
    return;
  }
  const severity = record.severity ?? "";
  element.classList.add(severityClass(severity));
  element.append(
    el("time", { datetime: record.time, title: record.time }, clock(record.time, look.isUtc, look.hasDate)),
    el("span", { class: "severity" }, SHORT[severity] ?? visible(severity).slice(0, 5)),
    source(record),
    message(record, look),
  );
}

/** The columns of a table with these rows, in the order in which they were met. */
export function tableColumns(rows) {
  return [...new Set(rows.slice(0, 100).flatMap((row) => Object.keys(row)))].filter((name) => name !== "_seq");
}

/** Fills a row of a table. */
export function fillTable(element, record, columns, isUtc) {
  element.classList.add("cells");
  for (const name of columns) {
    const value = record[name];
    const text = value === undefined || value === null ? "" : asText(value);
    const isTime = typeof value === "string" && TIME.test(value);
    const shown = isTime ? clock(value, isUtc, true) : text.slice(0, MESSAGE_MAX);
    const cell = el("span", { class: typeof value === "string" ? "text" : "number", title: visible(text.slice(0, MESSAGE_MAX)) });
    appendVisible(cell, shown);
    element.append(cell);
  }
}

export function tableHead(columns, rows) {
  const kind = (name) => (rows.some((row) => typeof row[name] === "string") ? "text" : "number");
  return el("div", { class: "row cells head" }, ...columns.map((name) => el("span", { class: kind(name) }, visible(name))));
}

/** The value of a field by its dotted name: a column, else inside `attributes` or `labels`. */
export function valueAt(record, name) {
  const direct = inside(record, name);
  if (direct !== undefined) return direct;
  return inside(record.attributes ?? {}, name) ?? inside(record.labels ?? {}, name);
}

/** [path, value] of everything that a record has, objects taken apart. */
export function fieldsOf(record) {
  const groups = { columns: [], result: [], attributes: [], labels: [] };
  for (const [name, value] of Object.entries(record)) {
    if (name === "_seq" || name === "message") continue;
    if (name === "attributes" || name === "labels") groups[name].push(...leaves([name], value));
    else if (isColumn(name)) groups.columns.push([[name], value]);
    else groups.result.push([[name], value]);
  }
  return groups;
}

function isColumn(name) {
  return ["time", "cluster", "namespace", "pod", "container", "stream", "severity", ...CORRELATION].includes(name);
}

function leaves(path, value) {
  if (!isObject(value) || Object.keys(value).length === 0) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves([...path, key], inner));
}

function inside(object, name) {
  if (!isObject(object)) return undefined;
  if (Object.hasOwn(object, name)) return object[name];
  for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
    const found = inside(object[name.slice(0, dot)], name.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

function source(record) {
  const parts = [record.namespace, record.pod, record.container].filter((part) => part !== undefined && part !== "");
  const element = el("span", { class: "source", title: visible(parts.join(" / ")) });
  parts.forEach((part, i) => {
    if (i > 0) element.append(el("i", {}, "/"));
    appendVisible(element, part);
  });
  return element;
}

function message(record, look) {
  const element = el("span", { class: "message" });
  for (const name of look.columns) {
    const value = valueAt(record, name);
    if (value === undefined || value === null) continue;
    const chip = el("span", { class: "chip" }, el("i", {}, `${visible(name.split(".").at(-1))}=`));
    appendVisible(chip, asText(value).slice(0, 200));
    element.append(chip);
  }
  const text = record.message ?? "";
  appendVisible(element, text.length > MESSAGE_MAX ? `${text.slice(0, MESSAGE_MAX)}…` : text, look.marks);
  return element;
}
