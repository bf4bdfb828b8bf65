/** One record, opened: its message in full, every field, what to do with a value, and the lines around it. */

import { get, isAbort, objects } from "./api.js";
import { severityClass } from "./histogram.js";
import { asText, isObject, parse, pretty } from "./json.js";
import { fieldsOf } from "./lines.js";
import { equals } from "./query.js";
import { appendVisible, clock, el, fullTime, visible } from "./text.js";

const AROUND = 10;
const AROUND_MAX = 1_000;
const MESSAGE_MAX = 100_000;
const TITLES = { columns: "Record", result: "Made by the query", attributes: "Attributes", labels: "Labels" };

export class RecordPanel {
  /** Calls `onNarrow(condition, isOfResult)`, `onColumn(name)`, `onAround(time, seconds)`, `onLink(seq)`, `onClose()`. */
  constructor(element, callbacks) {
    this.#element = element;
    this.#on = callbacks;
  }

  #element;
  #on;
  #record = null;
  #abort = new AbortController();
  #look = null;
  #restoreFocus = null;

  get record() {
    return this.#record;
  }

  /** Opens a record; `look` has isUtc, columns and marks. Focus goes into the panel if `takesFocus`. */
  open(record, look, takesFocus) {
    if (this.#element.hidden) this.#restoreFocus = document.activeElement;
    this.#abort.abort();
    this.#record = record;
    this.#look = look;
    this.#element.hidden = false;
    this.#element.className = severityClass(record.severity ?? "");
    this.#element.replaceChildren(this.#head(), this.#message(), ...this.#fields(), this.#around());
    this.#element.scrollTop = 0;
    if (takesFocus) this.#element.focus();
  }

  close() {
    if (this.#element.hidden) return false;
    this.#abort.abort();
    this.#record = null;
    this.#element.hidden = true;
    this.#element.replaceChildren();
    this.#restoreFocus?.focus();
    return true;
  }

  #head() {
    const record = this.#record;
    const copy = button("Copy JSON", "Copy the whole record as JSON", () => copyText(pretty(record), copy));
    const link = button("Copy link", "Copy the address of this record", () => copyText(this.#on.onLink(String(record._seq)), link));
    link.hidden = record._seq === undefined;
    const close = button("×", "Close (Esc)", () => this.#on.onClose());
    close.classList.add("close");
    const time = typeof record.time === "string" ? fullTime(record.time, this.#look.isUtc) : "";
    return el(
      "header",
      {},
      el("h2", {}, el("span", { class: "badge" }, visible(record.severity || "no severity")), el("time", { datetime: record.time }, time)),
      el("div", { class: "actions" }, copy, link, close),
    );
  }

  #message() {
    const text = this.#record.message ?? "";
    const element = el("pre", { class: "message", tabindex: "0", "aria-label": "Message" });
    const fill = (shown) => {
      element.replaceChildren();
      appendVisible(element, shown, shown.length > MESSAGE_MAX ? null : this.#look.marks, true);
    };
    fill(text.slice(0, MESSAGE_MAX));
    const indented = indentedJson(text);
    const tools = [];
    if (text.length > MESSAGE_MAX) tools.push(button(`All ${text.length.toLocaleString("en")} characters`, "", () => fill(text)));
    if (indented !== null) {
      const toggle = button("Indent", "Show this JSON indented, or as it was received", () => {
        const isOn = toggle.getAttribute("aria-pressed") !== "true";
        toggle.setAttribute("aria-pressed", isOn);
        fill(isOn ? indented : text);
      });
      toggle.setAttribute("aria-pressed", "false");
      tools.push(toggle);
    }
    return el("div", {}, element, ...tools);
  }

  #fields() {
    return Object.entries(fieldsOf(this.#record))
      .filter(([, fields]) => fields.length > 0)
      .map(([group, fields]) =>
        el("section", {}, el("h3", {}, TITLES[group]), el("dl", {}, ...fields.map(([path, value]) => this.#field(path, value, group)))),
      );
  }

  #field(path, value, group) {
    const name = path.join(".");
    const isOfResult = group === "result";
    const canNarrow = value !== null && !isObject(value) && !Array.isArray(value) && name !== "time";
    const shown = el(canNarrow ? "button" : "span", { class: "value", type: canNarrow && "button" });
    appendVisible(shown, value === "" ? "(empty)" : asText(value));
    const tools = el("span", { class: "tools" });
    if (name === "time") tools.append(...this.#timeTools(value));
    if (canNarrow) {
      shown.title = "Show only lines with this value";
      shown.addEventListener("click", () => this.#on.onNarrow(equals(path, value, { isOfResult }), isOfResult));
      const exclude = button("≠", `Hide lines with this ${name}`, () =>
        this.#on.onNarrow(equals(path, value, { isExcluded: true, isOfResult }), isOfResult),
      );
      tools.append(exclude);
    }
    if (group !== "columns") {
      const isShown = this.#look.columns.includes(name);
      const column = button(isShown ? "⊟" : "⊞", isShown ? `Take ${name} out of the rows` : `Show ${name} in every row`, () => this.#on.onColumn(name));
      column.setAttribute("aria-pressed", isShown);
      tools.append(column);
    }
    const label = visible(group === "columns" || isOfResult ? name : path.slice(1).join("."));
    return el("div", {}, el("dt", { title: label }, label), el("dd", {}, shown, tools));
  }

  #timeTools(time) {
    if (typeof time !== "string") return [];
    return [
      button("±10 s", "Everything within 10 seconds of it", () => this.#on.onAround(time, 10)),
      button("±5 min", "Everything within 5 minutes of it", () => this.#on.onAround(time, 300)),
    ];
  }

  #around() {
    const section = el("section", { class: "around", hidden: this.#record._seq === undefined });
    const show = button("Lines around it", "The lines before and after it in its own container", () => this.#loadAround(section, AROUND, AROUND));
    section.append(show);
    return section;
  }

  async #loadAround(section, before, after) {
    this.#abort = new AbortController();
    section.setAttribute("aria-busy", "true");
    try {
      const lines = await context(String(this.#record._seq), before, after, this.#abort.signal);
      section.replaceChildren(...this.#aroundList(section, lines, before, after));
    } catch (error) {
      if (!isAbort(error)) section.append(el("p", { class: "trouble", role: "alert" }, error.message));
    }
    section.removeAttribute("aria-busy");
  }

  #aroundList(section, lines, before, after) {
    const at = lines.findIndex((line) => String(line._seq) === String(this.#record._seq));
    const list = el("ol", {}, ...lines.map((line, i) => this.#aroundLine(line, i === at)));
    const more = (label, b, a) => button(label, "", () => this.#loadAround(section, Math.min(b, AROUND_MAX), Math.min(a, AROUND_MAX)));
    const isFirst = at < before;
    const isLast = lines.length - 1 - at < after;
    const first = isFirst ? el("p", {}, "The container's first line.") : more("More before", before * 4, after);
    const last = isLast ? el("p", {}, "The container's last line so far.") : more("More after", before, after * 4);
    return [el("h3", {}, "Lines around it"), first, list, last];
  }

  #aroundLine(line, isIt) {
    const text = el("span", { class: "message" });
    appendVisible(text, (line.message ?? "").slice(0, 1000), this.#look.marks);
    const open = el(
      "button",
      { type: "button", class: severityClass(line.severity ?? ""), "aria-current": isIt && "true", onclick: () => this.open(line, this.#look, true) },
      el("time", {}, clock(line.time, this.#look.isUtc, false)),
      text,
    );
    return el("li", {}, open);
  }
}

/** The record of a `_seq`. */
export async function recordOf(seq, signal) {
  const lines = await context(seq, 0, 0, signal);
  return lines.find((line) => String(line._seq) === seq) ?? lines[0] ?? null;
}

async function context(seq, before, after, signal) {
  const response = await get("api/v1/context", { seq, before, after, meta: "true" }, signal);
  const lines = [];
  for await (const found of objects(response)) lines.push(...found.filter((line) => line !== null && line.message !== undefined));
  return lines;
}

/** A message that is one JSON object, indented; null if it is none. */
function indentedJson(text) {
  if (!text.startsWith("{") || text.length > MESSAGE_MAX) return null;
  try {
    return pretty(parse(text));
  } catch {
    return null;
  }
}

function button(text, title, onclick) {
  return el("button", { type: "button", title, onclick, "aria-label": text.length < 3 ? title : null }, text);
}

async function copyText(text, source) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);
  }
  flash(source, "Copied");
}

/** Where the clipboard needs a secure origin that this page has not. */
function copyBySelection(text) {
  const area = el("textarea", { class: "offscreen", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function flash(element, text) {
  const before = element.dataset.text ?? element.textContent;
  element.dataset.text = before;
  element.textContent = text;
  setTimeout(() => (element.textContent = before), 1500);
}
