/** The query box with its error, the time range, and the buttons beside them. */

import { offset, place } from "./query.js";
import * as ranges from "./range.js";
import { el, zone } from "./text.js";

const byId = (id) => document.getElementById(id);

export class Controls {
  /** Calls `onRun(query)`, `onRange(range)`, `onLive(isLive)`, `onZone(isUtc)`, `onWider()`. */
  constructor(callbacks) {
    this.#on = callbacks;
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      callbacks.onRun(this.query);
    });
    this.#box.addEventListener("keydown", (event) => this.#enter(event));
    this.#box.addEventListener("input", () => {
      this.#grow();
      this.clearError();
    });
    byId("live").addEventListener("click", () => callbacks.onLive(byId("live").getAttribute("aria-pressed") !== "true"));
    byId("zone").addEventListener("click", () => callbacks.onZone(byId("zone").getAttribute("aria-pressed") !== "true"));
    byId("wider").addEventListener("click", () => callbacks.onWider());
    byId("custom").addEventListener("submit", (event) => this.#applyCustom(event));
    this.#drawRanges();
  }

  #on;
  #box = byId("query");
  #isUtc = false;
  #range = ranges.DEFAULT;

  get query() {
    return this.#box.value.trim();
  }

  focus() {
    this.#box.focus();
    this.#box.select();
  }

  /** Shows a state; what is being typed stays where it is the same. */
  show(state) {
    if (this.query !== state.query) this.#box.value = state.query;
    this.#grow();
    this.#isUtc = state.isUtc;
    this.#range = state.range;
    byId("live").setAttribute("aria-pressed", state.isLive);
    byId("zone").setAttribute("aria-pressed", state.isUtc);
    byId("zone").textContent = state.isUtc ? "UTC" : zone(new Date());
    const isCustom = state.range.last === undefined && Boolean(state.range.start || state.range.end);
    const value = isCustom ? "custom" : (state.range.last ?? "all");
    for (const input of byId("ranges").querySelectorAll("input")) input.checked = input.value === value;
    byId("custom").hidden = !isCustom;
    byId("wider").hidden = !(state.range.start && state.range.end);
    byId("from").value = ranges.toInput(state.range.start, state.isUtc);
    byId("to").value = ranges.toInput(state.range.end, state.isUtc);
  }

  /** The place in the query that the server did not understand, with what it says of it. */
  showError(query, error) {
    const panel = byId("trouble");
    const parts = [el("p", {}, error.message)];
    if (error.hint && !error.message.includes(error.hint)) parts.push(el("p", { class: "hint" }, error.hint));
    if (error.position !== null) {
      const [before, at, after] = place(query, error.position);
      parts.unshift(el("pre", { "aria-hidden": "true" }, before, el("span", { class: "caret" }, at || " "), after));
      const start = offset(query, error.position);
      if (this.#box.value === query && document.activeElement === this.#box) this.#box.setSelectionRange(start, start + at.length);
    }
    panel.replaceChildren(...parts);
    panel.hidden = false;
    this.#box.setAttribute("aria-invalid", "true");
  }

  clearError() {
    byId("trouble").hidden = true;
    byId("trouble").replaceChildren();
    this.#box.removeAttribute("aria-invalid");
  }

  #enter(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#on.onRun(this.query);
  }

  #grow() {
    this.#box.style.height = "auto";
    this.#box.style.height = `${this.#box.scrollHeight + this.#box.offsetHeight - this.#box.clientHeight}px`;
  }

  #drawRanges() {
    const choices = [...ranges.LASTS.map((last) => [last, last, `Last ${last}`]), ["all", "All", "All time"], ["custom", "From – to", "Choose both ends"]];
    for (const [value, text, title] of choices) {
      const input = el("input", { type: "radio", name: "range", value, onchange: () => this.#choose(value) });
      byId("ranges").append(el("label", { title }, input, el("span", {}, text)));
    }
  }

  #choose(value) {
    if (value !== "custom") {
      this.#on.onRange(value === "all" ? {} : { last: value });
      return;
    }
    const now_ms = Date.now();
    const length = ranges.length_ms(this.#range) ?? 3_600_000;
    byId("from").value = ranges.toInput(new Date(now_ms - length).toISOString(), this.#isUtc);
    byId("to").value = ranges.toInput(new Date(now_ms).toISOString(), this.#isUtc);
    byId("custom").hidden = false;
    byId("from").focus();
  }

  #applyCustom(event) {
    event.preventDefault();
    const start = ranges.fromInput(byId("from").value, this.#isUtc);
    const end = ranges.fromInput(byId("to").value, this.#isUtc);
    const isOrdered = start === null || end === null || start < end;
    byId("to").setCustomValidity(isOrdered ? "" : "The end must be after the start.");
    if (!isOrdered) byId("to").reportValidity();
    else this.#on.onRange(start === null && end === null ? {} : { start, end });
  }
}
